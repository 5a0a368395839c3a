"""W&B's own process may die or freeze in the middle of a run: training goes on, and ends."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.loggers.timeouts import call_within
from tests.experiments.tiny_task import write_tiny_task
from tests.experiments.wandb_log import history

FIT = """
import os, signal, sys, time
from pathlib import Path
from threading import Thread
from experiments.cli import main
from tests.experiments.wandb_process import wandb_process

def kill_service(metrics):
    while not metrics.exists() or metrics.read_text().count("\\n") < 10:
        time.sleep(0.01)
    os.kill(wandb_process(), signal.SIGKILL)

Thread(target=kill_service, args=[Path(sys.argv[1])], daemon=True).start()
sys.exit(main(sys.argv[2:]))
"""

LOG = """
import os, signal, sys
from experiments.loggers import RunWandbLogger, run_wandb
from tests.experiments.wandb_process import wandb_process

run_wandb.ANSWER_TIMEOUT = run_wandb.FINISH_TIMEOUT = 2.0
logger = RunWandbLogger(sys.argv[1])
for step in range(3000):  # more than what waits between the two processes
    if step == 50:
        service = wandb_process()
        os.kill(service, signal.SIGSTOP)
        print(service)
    logger.log_metrics({"a": float(step)}, step=step)
"""

SHARED = """
import subprocess, sys
import wandb

wandb.setup()  # from now on its address is in the environment, as in a notebook that has a run of its own
log = [
    "import sys",
    "from experiments.loggers import RunWandbLogger",
    "RunWandbLogger(sys.argv[1]).log_metrics({'a': 1.0}, step=0)",
]
for _ in range(2):
    subprocess.run([sys.executable, "-c", "; ".join(log), sys.argv[1]], check=True)
"""

pytestmark = [
    pytest.mark.wandb,
    pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds W&B's process in /proc"),
]


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs Python with a service of its own: an earlier test may have left the address of another one."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    return subprocess.run(
        [sys.executable, "-c", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**inherited, "WANDB_MODE": "offline"},
    )


@pytest.mark.alone
def test_a_killed_one_costs_a_fit_nothing(tmp_path: Path, seed: int) -> None:
    config = write_tiny_task(tmp_path, seed, train_size=200)
    run = tmp_path / "runs" / "tiny" / "1"
    options = ["--config", str(config), "--trainer.max_epochs", "5", "--trainer.log_every_n_steps", "1"]
    process = python(FIT, str(run / "metrics.csv"), "fit", *options)
    assert process.returncode == 0
    assert process.stderr.count("W&B is off for the rest of this run, metrics.csv goes on") == 1
    assert "Traceback" not in process.stderr
    with (run / "metrics.csv").open(newline="") as file:
        steps = {int(row["step"]) for row in csv.DictReader(file) if row["train/loss"]}
    assert steps == set(range(35)), "five epochs of seven steps"
    assert (run / "checkpoints" / "last.ckpt").is_file()


@pytest.mark.alone
def test_a_frozen_one_is_given_up(tmp_path: Path) -> None:
    started = time.monotonic()
    process = python(LOG, str(tmp_path))
    assert process.returncode == 0
    assert "W&B is off for the rest of this run, metrics.csv goes on: no answer within 2 seconds" in process.stderr
    assert "Traceback" not in process.stderr
    assert time.monotonic() - started < 60
    while Path(f"/proc/{process.stdout.strip()}").exists():
        assert time.monotonic() - started < 60, "it is ended, not left behind"
        time.sleep(0.05)


def test_a_call_is_waited_for_no_longer_than_said() -> None:
    started = time.monotonic()
    with pytest.raises(TimeoutError, match="no answer within 0 seconds"):
        call_within(0.1, lambda: time.sleep(5))
    assert time.monotonic() - started < 4
    done: list[int] = []
    call_within(60, lambda: done.append(1))
    assert done == [1]
    with pytest.raises(ZeroDivisionError):
        call_within(60, lambda: done.append(1 // 0))


def test_processes_with_one_service_close_their_runs(tmp_path: Path) -> None:
    process = python(SHARED, str(tmp_path))
    assert process.returncode == 0, process.stderr
    assert "W&B is off" not in process.stderr
    parts = list((tmp_path / "wandb").glob("offline-run-*"))
    assert len(parts) == 2, "the second process resumes the run of the first"
    assert all([row["a"] for row in history(part)] == [1.0] for part in parts)
