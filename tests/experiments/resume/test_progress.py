"""Evaluations stand at the step and epoch of the checkpoint that they measured."""

from pathlib import Path

import pytest

from tests.experiments.metrics_table import rows
from tests.experiments.seqlab_process import seqlab
from tests.experiments.tiny_task import write_tiny_task
from tests.experiments.wandb_log import history


@pytest.fixture
def config(tmp_path: Path, seed: int) -> Path:
    """20 pairs in batches of 8, so 3 steps an epoch; beside the usual checkpoints the weights after each step."""
    config = write_tiny_task(tmp_path, seed, train_size=20)
    checkpoints = """\
    - class_path: experiments.callbacks.LastCheckpoints
    - class_path: lightning.pytorch.callbacks.ModelCheckpoint
      init_args: {filename: "{step}", every_n_train_steps: 1, save_top_k: -1, save_weights_only: true}
"""
    of_the_best = config.read_text().replace("save_last: true, ", "").replace("batch_size: 32", "batch_size: 8")
    config.write_text(of_the_best + checkpoints)
    return config


@pytest.mark.wandb
def test_rows_of_test_and_validate_stand_where_training_stood(config: Path) -> None:
    run = config.parent / "runs" / "tiny" / "1"

    def run_seqlab(command: str, *options: object) -> None:
        done = seqlab(command, "--config", config, *options)
        assert done.returncode == 0, done.stderr

    run_seqlab("fit", "--trainer.max_epochs", 2, "--trainer.log_every_n_steps", 1)
    trained = rows(run, "val/loss")
    assert [(row["step"], row["epoch"]) for row in trained] == [("2", "0"), ("5", "1")]

    run_seqlab("validate", "--ckpt_path", "last")
    again = rows(run, "val/loss")[-1]
    assert (again["step"], again["epoch"]) == ("5", "1")
    assert float(again["val/loss"]) == pytest.approx(float(trained[1]["val/loss"]), abs=1e-6)

    run_seqlab("test", "--ckpt_path", run / "checkpoints" / "step-4.ckpt")
    (tested,) = rows(run, "test/loss")
    assert (tested["step"], tested["epoch"]) == ("3", "1")

    logged = [row for part in sorted((run / "wandb").glob("offline-run-*")) for row in history(part)]
    assert [row["trainer/global_step"] for row in logged if "val/loss" in row] == [2, 5, 5]
    assert [row["trainer/global_step"] for row in logged if "test/loss" in row] == [3]
