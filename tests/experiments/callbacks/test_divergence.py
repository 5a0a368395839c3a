"""A training that diverges is told: while it does, once, and when it ends."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from datamodules.batch import SequenceBatch
from experiments.callbacks.divergence import Divergence
from experiments.cli import main
from lightning_modules.training.step_loss import StepLossModule
from tests.experiments.echo_task import EchoData, make_trainer
from tests.experiments.tiny_task import write_tiny_task

CONFIGS = Path(__file__).parents[3] / "configs"
NOTHING = "that of a model that has learned nothing"


def trained(
    config: Path, folder: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], *options: str
) -> tuple[list[str], str]:
    """The warnings of a short training on the CPU, and its last lines."""
    words = [
        "--trainer.default_root_dir", str(folder), "--trainer.logger", "false", "--trainer.accelerator", "cpu",
        "--trainer.limit_train_batches", "6", "--trainer.limit_val_batches", "1", "--trainer.max_epochs", "2",
    ]  # fmt: skip
    caplog.clear()
    with caplog.at_level(logging.WARNING, "experiments"):
        assert main(["fit", "--config", str(config), *words, *options]) == 0
    return [record.getMessage() for record in caplog.records if NOTHING in record.getMessage()], capsys.readouterr().out


@pytest.mark.parametrize(
    ("experiment", "chance"), [("tiny", "2.3"), ("birnn/signed_sum", "0.693"), ("seq2seq/vectors", "")]
)
def test_a_rate_that_is_far_too_high(
    experiment: str, chance: str, tmp_path: Path, seed: int, caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    config = write_tiny_task(tmp_path, seed, train_size=200) if experiment == "tiny" else CONFIGS / f"{experiment}.yaml"
    assert trained(config, tmp_path / "good", caplog, capsys)[0] == []
    rate = "--model.init_args.optimizer.init_args.lr=1e5"
    (warning,), output = trained(config, tmp_path / "bad", caplog, capsys, rate, "--trainer.log_every_n_steps=2")
    assert warning.startswith("step ")
    assert f"{NOTHING} {chance}" in warning
    assert "the training diverges (learning rate " in warning
    (note,) = (line for line in output.splitlines() if line.startswith("note  "))
    assert f"{NOTHING} {chance}" in note
    assert note.endswith("the training has diverged; begin anew with a lower learning rate")


class Scripted(StepLossModule):
    """Logs given losses; a guess has 1."""

    def __init__(self, losses: Sequence[float]) -> None:
        super().__init__(partial(torch.optim.SGD, lr=0.1), None)
        self.weight = nn.Parameter(torch.ones(1))
        self.losses = losses

    def training_step(self, batch: SequenceBatch, batch_idx: int) -> Tensor:
        self.log("train/loss", self.losses[self.global_step])
        return self.scaled_loss(self.weight.sum(), 1, batch.index)

    def chance_loss(self, batch: SequenceBatch) -> float:
        return 1.0


@pytest.mark.parametrize(
    ("losses", "warned_at", "is_noted"),
    [
        ([1.1] * 8, None, False),
        ([2.9, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5], None, False),
        ([3.1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5], 1, False),
        ([1.0, 1.6, 1.6, 1.7, 1.6, 1.6, 1.6, 1.6], 5, True),
        ([0.5] * 7 + [math.inf], 8, True),
    ],
)
def test_single_hard_batches_are_no_divergence(
    losses: list[float], warned_at: int | None, is_noted: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    divergence = Divergence()
    trainer = make_trainer(tmp_path, callbacks=[divergence], log_every_n_steps=1, limit_val_batches=0)
    with caplog.at_level(logging.WARNING, "experiments"):
        trainer.fit(Scripted(losses), datamodule=EchoData())
    warnings = [record.getMessage() for record in caplog.records if NOTHING in record.getMessage()]
    assert [warning.partition(":")[0] for warning in warnings] == ([f"step {warned_at}"] if warned_at else [])
    assert (divergence.closing_remark() is not None) == is_noted
