"""A training that a scheduler stops and starts again is the one that was never stopped."""

import csv
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from datamodules.errors import RunFailed
from experiments.cli import main
from experiments.resume.handover import is_preempted, requeue
from tests.experiments.tiny_task import write_tiny_task

SCONTROL = """\
#!/bin/sh
case "$1" in
show) cat "$(dirname "$0")/shown" ;;
*) echo "$*" >> "$(dirname "$0")/told" ;;
esac
"""

TIMES = ("time", "train/tokens_per_second")

pytestmark = pytest.mark.long


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A job of one task; its scontrol writes down what it is told."""
    (tmp_path / "scontrol").write_text(SCONTROL)
    (tmp_path / "scontrol").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "815")
    before = {number: signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGTERM)}
    yield tmp_path
    for number, handler in before.items():
        signal.signal(number, handler)


def fit(config: Path, name: str, *options: object) -> int:
    """Seven batches in an epoch, two epochs, validation after every third batch."""
    words = [
        "fit", "--config", config, "--version", "815", "--trainer.default_root_dir", config.parent / name,
        "--trainer.max_epochs", 2, "--trainer.val_check_interval", 3, "--trainer.log_every_n_steps", 1,
        "--trainer.logger", "experiments.loggers.MetricsCSV",
        "--trainer.callbacks.init_args.filename", "{step}", "--trainer.callbacks.init_args.save_top_k", -1, *options,
    ]  # fmt: skip
    return main([str(word) for word in words])


def run_of(config: Path, name: str) -> Path:
    (run,) = (config.parent / name / "tiny").iterdir()
    assert run.name == "815"
    return run


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    return torch.load(checkpoint, weights_only=True)["state_dict"]


def rows(run: Path) -> list[dict[str, str]]:
    """What the run logged, but for what a clock says."""
    with (run / "metrics.csv").open(newline="") as file:
        return [
            {name: cell for name, cell in row.items() if name not in TIMES and cell} for row in csv.DictReader(file)
        ]


def assert_same(found: Path, expected: Path) -> None:
    """The same weights after each validation and at the end, and the same metrics."""
    assert rows(found) == rows(expected)
    names = sorted(path.name for path in (expected / "checkpoints").iterdir())
    assert sorted(path.name for path in (found / "checkpoints").iterdir()) == names
    assert len(names) > 2
    for name in names:
        before, after = weights(expected / "checkpoints" / name), weights(found / "checkpoints" / name)
        assert all(torch.equal(value, after[key]) for key, value in before.items()), name


def stopped_after(step: int, signal_name: str = "SIGUSR1") -> list[object]:
    strike = "--trainer.callbacks+=tests.experiments.slurm.strike.Strike"
    return [strike, f"--trainer.callbacks.step={step}", f"--trainer.callbacks.name={signal_name}"]


@pytest.mark.parametrize(
    ("shown", "preempted"),
    [
        ("JobId=815 JobState=RUNNING PreemptEligibleTime=2026-01-01T10:00:00 PreemptTime=2026-01-01T11:00:00", True),
        ("JobId=815 JobState=RUNNING PreemptEligibleTime=2026-01-01T10:00:00 PreemptTime=None", False),
        ("JobId=815 JobState=CANCELLED PreemptTime=2026-01-01T11:00:00", False),
        ("", False),
    ],
)
def test_a_job_is_preempted_or_cancelled(shown: str, preempted: bool, cluster: Path) -> None:
    if shown:
        (cluster / "shown").write_text(shown)
    assert is_preempted() == preempted


@pytest.mark.parametrize("accumulated", [1, 2])
def test_it_goes_on_as_if_nothing_had_been(accumulated: int, cluster: Path, seed: int) -> None:
    """Stopped before the first batch, in an epoch, before and after a validation, and where an epoch ends."""
    config = write_tiny_task(cluster, seed, train_size=200)
    # The training ends with a validation, after which the last checkpoint is written.
    steps = 13 if accumulated == 1 else 7
    options = ["--trainer.accumulate_grad_batches", accumulated, "--trainer.max_steps", steps]
    options += ["--data.init_args.num_workers", accumulated - 1]
    assert fit(config, "whole", *options) == 0
    assert not (cluster / "told").exists()

    stops = (0, 2, 3, 7, 12) if accumulated == 1 else (1, 3, 4)
    for step in stops:
        assert fit(config, "stopped", *options, *stopped_after(step)) == 0
        saved = torch.load(run_of(config, "stopped") / "checkpoints" / "last.ckpt", weights_only=True)
        assert saved["global_step"] == max(1, step), "it leaves before the very next batch, but not without a step"
    assert (cluster / "told").read_text() == "requeue 815\n" * len(stops)
    assert fit(config, "stopped", *options) == 0
    assert_same(run_of(config, "stopped"), run_of(config, "whole"))


def test_a_version_that_begins_with_another_ones_checkpoint_has_its_own_directory(cluster: Path, seed: int) -> None:
    """And resumes there, whatever is newer, when its command is given again."""
    config = write_tiny_task(cluster, seed, train_size=200)
    runs = cluster / "stopped" / "tiny"

    def step(version: str) -> int:
        return torch.load(runs / version / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]

    assert fit(config, "stopped", "--trainer.max_steps", 3) == 0
    second = ["--version", "816", "--ckpt_path", runs / "815" / "checkpoints" / "last.ckpt", "--trainer.max_steps"]
    assert fit(config, "stopped", *second, 6) == 0
    assert (step("815"), step("816")) == (3, 6)
    assert rows(runs / "816")[0]["step"] == "3"
    assert fit(config, "stopped", "--trainer.max_steps", 10) == 0
    assert fit(config, "stopped", *second, 13) == 0
    assert (step("815"), step("816")) == (10, 13)


def test_a_task_of_an_array_is_requeued_alone(cluster: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requeue()
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "815")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "7")
    requeue()
    assert (cluster / "told").read_text() == "requeue 815\nrequeue 815_7\n"


def test_a_job_that_cannot_be_requeued_is_told(cluster: Path) -> None:
    (cluster / "scontrol").write_text("#!/bin/sh\necho 'Access denied' >&2\nexit 1\n")
    with pytest.raises(RunFailed, match="job 815 is not put into the queue again: Access denied"):
        requeue()


def test_a_cancelled_job_keeps_its_state_and_is_not_requeued(
    cluster: Path, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_tiny_task(cluster, seed, train_size=200)
    assert fit(config, "whole", "--trainer.max_steps", 10) == 0
    workers = ["--data.init_args.num_workers", 1]
    assert fit(config, "stopped", *workers, *stopped_after(4, "SIGTERM")) == 130
    assert f"resume with --ckpt_path {run_of(config, 'stopped')}/checkpoints/last.ckpt" in capsys.readouterr().err
    assert not (cluster / "told").exists()
    assert fit(config, "stopped", "--trainer.max_steps", 10) == 0
    assert_same(run_of(config, "stopped"), run_of(config, "whole"))
