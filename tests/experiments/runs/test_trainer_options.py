"""Options of Lightning's Trainer that people debug with."""

import csv
from pathlib import Path

import pytest

from experiments.cli import main
from tests.experiments.tiny_task import write_tiny_task


@pytest.fixture
def config(tmp_path: Path, seed: int) -> Path:
    """Four batches of training, two of validation."""
    path = write_tiny_task(tmp_path, seed, train_size=100)
    path.write_text(path.read_text().replace("batch_size: 32", "batch_size: 32\n    eval_batch_size: 20"))
    return path


def run(*words: object) -> int:
    return main([str(word) for word in words])


@pytest.mark.parametrize(("overfit_batches", "train_batches"), [("1", 1), ("3", 3), ("0.5", 2)])
def test_overfitting_trains_the_same_batches_again(overfit_batches: str, train_batches: int, config: Path) -> None:
    """A model that does not change has the same losses in the same order in every epoch."""
    status = run(
        "fit", "--config", config, "--trainer.overfit_batches", overfit_batches, "--trainer.max_epochs", 3,
        "--trainer.logger", "experiments.loggers.MetricsCSV", "--trainer.log_every_n_steps", 1,
        "--model.init_args.optimizer.init_args.lr", 0.0,
        "--model.init_args.decoder.init_args.dropout", 0.0,
    )  # fmt: skip
    assert status == 0
    with (config.parent / "runs" / "tiny" / "1" / "metrics.csv").open(newline="") as file:
        losses = [(row["epoch"], row["train/loss"]) for row in csv.DictReader(file) if row["train/loss"]]
    epochs = [[loss for epoch, loss in losses if epoch == str(number)] for number in range(3)]
    assert epochs[0] == epochs[1] == epochs[2]
    assert len(set(epochs[0])) == train_batches


def test_a_share_of_less_than_a_batch_names_the_option(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("fit", "--config", config, "--trainer.overfit_batches", 0.3) == 2
    error = capsys.readouterr().err
    assert "--trainer.overfit_batches 0.3 is less than one batch of 2: give a number of batches" in error


def test_a_try_leaves_nothing_behind(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = config.parent / "runs"
    assert run("fit", "--config", config, "--trainer.fast_dev_run", "true") == 0
    assert not runs.exists()

    only_the_checkpoint = ["--trainer.logger", "false", "--trainer.limit_val_batches", 0, "--trainer.max_steps", 1]
    assert run("fit", "--config", config, *only_the_checkpoint) == 0
    last = runs / "tiny" / "1" / "checkpoints" / "last.ckpt"
    assert f"last checkpoint  {last}" in capsys.readouterr().out, "without validation there is no best one"
    before = {path: path.stat().st_mtime_ns for path in runs.rglob("*")}
    for command in ("fit", "test", "predict"):
        assert run(command, "--config", config, "--trainer.fast_dev_run", 2, "--ckpt_path", "last") == 0
    assert {path: path.stat().st_mtime_ns for path in runs.rglob("*")} == before
