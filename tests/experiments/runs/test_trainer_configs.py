"""The configs of configs/trainer/: each combines with an experiment, and two processes really train."""

import csv
import json
import os
import time
from pathlib import Path

import pytest
import torch
import yaml

from experiments.cli import main
from tests.experiments.seqlab_process import seqlab
from tests.experiments.test_classifier import write_config
from tests.faults.victim import Victim

CONFIGS = Path(__file__).parents[3] / "configs"
TRAINERS = sorted((CONFIGS / "trainer").glob("*.yaml"))


def test_there_is_one_for_each_place() -> None:
    assert {path.stem for path in TRAINERS} == {"cpu", "gpu", "ddp", "multi_node", "slurm", "cpu_ddp"}


@pytest.mark.parametrize("trainer", TRAINERS, ids=lambda path: path.stem)
def test_it_combines_with_an_experiment(trainer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It changes what it says of the trainer, and leaves the experiment's callbacks and loggers as they are."""

    def shown(*more: object) -> dict[str, object]:
        with pytest.raises(SystemExit):
            main(["fit", "--config", str(CONFIGS / "nmt" / "dates.yaml"), *map(str, more), "--print_config"])
        return yaml.safe_load(capsys.readouterr().out)

    alone, combined = shown(), shown("--config", trainer)
    said = yaml.safe_load(trainer.read_text())
    assert list(said) == ["trainer"]
    assert combined == {**alone, "trainer": {**alone["trainer"], **said["trainer"]}}


@pytest.mark.wandb
def test_two_processes_train_and_one_writes(tmp_path: Path) -> None:
    (tmp_path / "told").mkdir()
    done = seqlab(
        "fit", "--config", write_config(tmp_path), "--config", CONFIGS / "trainer" / "cpu_ddp.yaml",
        "--trainer.logger+=experiments.loggers.RunWandbLogger", "--trainer.enable_progress_bar", "true",
        "--trainer.max_epochs", 1, "--data.init_args.train_size", 500,
        "--trainer.callbacks+=tests.experiments.rank_callbacks.WrittenFiles",
        f"--trainer.callbacks.folder={tmp_path / 'runs'}", f"--trainer.callbacks.told={tmp_path / 'told'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "All distributed processes registered. Starting with 2 processes" in done.stderr
    run = tmp_path / "runs" / "signs" / "1"
    by_rank = [json.loads((tmp_path / "told" / f"rank{rank}.json").read_text()) for rank in range(2)]
    for name in ("metrics.csv", "config.yaml", "last.ckpt"):  # whole files are written beside their place
        assert any(name in Path(path).name for path in by_rank[0]), name
    assert by_rank[1] == []
    assert len(list((run / "wandb").glob("offline-run-*"))) == 1
    assert done.stdout.count("next: seqlab test") == 1
    assert done.stdout.count("`Trainer.fit` stopped") + done.stderr.count("`Trainer.fit` stopped") == 1
    assert (done.stdout + done.stderr).count("Epoch 0/0") == 1, "one progress bar"
    with (run / "metrics.csv").open(newline="") as file:
        logged = [row["step"] for row in csv.DictReader(file) if row["train/loss"]]
    assert logged == ["4", "9"]
    assert torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 10


@pytest.mark.parametrize("rank", [0, 1])
def test_what_fails_on_one_rank_ends_the_run_with_its_message(rank: int, tmp_path: Path) -> None:
    """Also where the other rank looks at nothing for ten minutes."""
    begun = time.monotonic()
    words = [
        "fit", "--config", write_config(tmp_path), "--config", CONFIGS / "trainer" / "cpu_ddp.yaml",
        "--trainer.callbacks+=tests.experiments.rank_callbacks.Fails", f"--trainer.callbacks.rank={rank}",
        "--trainer.callbacks.step=3",
    ]  # fmt: skip
    victim = Victim(list(map(str, words)), tmp_path / "log", os.environ, forked=True)
    while victim.status is None or victim.processes:  # the other process may be the last to end
        assert time.monotonic() - begun < 100
        time.sleep(0.05)
    assert victim.status not in (0, 2)
    assert f"seqlab: error: rank {rank} has no more paper" in (tmp_path / "log").read_text()
