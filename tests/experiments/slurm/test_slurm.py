"""Jobs of a real SLURM: two nodes, on each of them one process."""

import csv
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from experiments.cli import main
from tests.experiments.slurm.slurm import TwoNodes, missing, wait_for
from tests.experiments.test_classifier import write_config

pytestmark = [
    pytest.mark.long,
    pytest.mark.slurm,
    pytest.mark.wandb,
    pytest.mark.alone,
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="session")
def two_nodes() -> Iterator[TwoNodes]:
    if reason := missing():
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
    slurm = TwoNodes(folder)
    try:
        try:
            slurm.start()
        except TimeoutError as error:  # a container that lets its root do less
            pytest.skip(f"SLURM is installed, but does not start here: {error}; {slurm.last_words()}")
        yield slurm
    finally:
        slurm.stop()
        shutil.rmtree(folder)


@pytest.fixture
def cluster(two_nodes: TwoNodes, monkeypatch: pytest.MonkeyPatch) -> TwoNodes:
    for name, value in two_nodes.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")  # the nodes are names for SLURM alone
    return two_nodes


def submitted(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[str, Path, Path]:
    """Submits a job; its id, its output and its run."""
    assert main(["slurm", *map(str, words)]) == 0
    told = dict(re.findall(r"^(\w+) +(.+)$", capsys.readouterr().out, re.MULTILINE))
    return told["job"], Path(told["output"]), Path(told["run"])


def rows(run: Path) -> list[dict[str, str]]:
    """What the run logged, but for what a clock says."""
    path = run / "metrics.csv"
    if not path.exists():
        return []
    with path.open(newline="") as file:
        logged = list(csv.DictReader(file))
    times = ("time", "train/tokens_per_second")
    return [{name: cell for name, cell in row.items() if name not in times and cell} for row in logged]


def test_a_job_that_is_requeued_twice_is_the_one_that_never_was(
    cluster: TwoNodes, tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Told to leave while it imports, and again in the middle of an epoch."""
    config = write_config(tmp_path)
    words = [
        "--nodes", 2, "--time", "00:10:00", "--config", config, "--seed_everything", seed,
        "--trainer.log_every_n_steps", 1, "--data.init_args.train_size", 1000,
        "--trainer.logger+=experiments.loggers.RunWandbLogger",
        "--trainer.callbacks+=tests.experiments.slurm.strike.Slow", "--trainer.callbacks.seconds=0.05",
    ]  # fmt: skip
    stopped, stopped_log, stopped_run = submitted(capsys, *words)
    whole, whole_log, whole_run = submitted(capsys, *words)

    wait_for(lambda: cluster.processes(stopped) == 2, 120, "the job's processes are started")
    cluster.says("scancel", "--signal=USR1", stopped)
    wait_for(lambda: cluster.shown(stopped, "Restarts") == "1", 120, "the job is requeued")
    wait_for(lambda: len(rows(stopped_run)) >= 25, 240, "some steps are logged")
    cluster.says("scancel", "--signal=USR1", stopped)
    wait_for(lambda: cluster.shown(stopped, "Restarts") == "2", 120, "the job is requeued again")
    for job, log in ((stopped, stopped_log), (whole, whole_log)):
        wait_for(lambda job=job: cluster.shown(job, "JobState") in ("COMPLETED", "FAILED"), 240, "the job ends")
        assert cluster.shown(job, "JobState") == "COMPLETED", log.read_text()

    assert rows(stopped_run) == rows(whole_run)
    names = sorted(path.name for path in (whole_run / "checkpoints").iterdir())
    assert sorted(path.name for path in (stopped_run / "checkpoints").iterdir()) == names
    for name in names:
        before, after = (
            torch.load(run / "checkpoints" / name, weights_only=True)["state_dict"] for run in (whole_run, stopped_run)
        )
        assert all(torch.equal(value, after[key]) for key, value in before.items()), name
    assert sorted(path.name for path in stopped_run.parent.iterdir()) == sorted([stopped, whole, "jobs"])
    identifiers = {path.name.rpartition("-")[2] for path in (stopped_run / "wandb").glob("offline-run-*")}
    assert identifiers == {(stopped_run / "wandb" / "run-id.txt").read_text().strip()}
    assert stopped_log.read_text().count("next: seqlab test") == 1
