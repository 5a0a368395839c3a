"""The average of the weights: its formula, and that validations, checkpoints and resumed trainings agree on it."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from datamodules.errors import UserError
from experiments.callbacks import ExponentialMovingAverage
from experiments.cli import main
from tests.experiments.tiny_task import write_tiny_task

STATE = "ExponentialMovingAverage"


class Tied(L.LightningModule):
    """Learns to predict what it is given, with one matrix by two names."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(3, 3, bias=False)
        self.decoder = nn.Linear(3, 3)
        self.decoder.weight = self.encoder.weight
        self.seen: list[dict[str, Tensor]] = []

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        return (self.decoder(self.encoder(batch)) - batch).square().mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.3)

    def on_before_zero_grad(self, optimizer: torch.optim.Optimizer) -> None:
        self.seen.append({name: value.detach().clone() for name, value in self.named_parameters()})


@pytest.mark.parametrize("warmup", [False, True])
def test_it_is_the_formula(warmup: bool, tmp_path: Path, seed: int) -> None:
    model, batches = Tied(), [torch.randn(4, 3) for _ in range(8)]
    trainer = L.Trainer(
        max_epochs=1, accumulate_grad_batches=2, logger=False, enable_progress_bar=False, enable_model_summary=False,
        callbacks=[ExponentialMovingAverage(0.3, warmup)], default_root_dir=tmp_path, accelerator="cpu",
    )  # fmt: skip
    first = {name: value.detach().clone() for name, value in model.named_parameters()}
    trainer.fit(model, DataLoader(batches, batch_size=None))
    trainer.save_checkpoint(tmp_path / "after.ckpt")
    saved = torch.load(tmp_path / "after.ckpt", weights_only=True)
    trained = saved["callbacks"][STATE]["trained_weights"]
    expected = first
    for number, weights in enumerate([*model.seen[1:], trained], start=1):
        decay = min(0.3, (1 + number) / (10 + number)) if warmup else 0.3
        expected = {name: decay * expected[name] + (1 - decay) * value for name, value in weights.items()}
    assert number == 4, "one for each update"
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.detach(), expected[name])
        assert torch.equal(saved["state_dict"][name], parameter)
    assert torch.equal(saved["state_dict"]["encoder.weight"], saved["state_dict"]["decoder.weight"])


@pytest.fixture
def config(tmp_path: Path, seed: int) -> Path:
    """Four batches an epoch, and a validation after each second one."""
    return write_tiny_task(tmp_path, seed, train_size=128)


def fit(config: Path, name: str, *words: str) -> Path:
    callbacks = config.parent / "callbacks.yaml"
    average = "    - {class_path: ExponentialMovingAverage, init_args: {decay: 0.9}}\n" if name != "without" else ""
    callbacks.write_text(f"trainer:\n  callbacks:\n{average}    - BestCheckpoint\n    - LastCheckpoints\n")
    options = [
        f"--trainer.default_root_dir={config.parent / name}", "--trainer.logger=experiments.loggers.MetricsCSV",
        "--trainer.val_check_interval=0.5", "--model.init_args.tied=target", *words,
    ]  # fmt: skip
    assert main(["fit", "--config", str(config), "--config", str(callbacks), *options]) == 0
    return config.parent / name / "tiny" / "1"


def checkpoint(run: Path, name: str) -> dict[str, Any]:
    return torch.load(run / "checkpoints" / name, weights_only=True)


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() <= other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def losses(run: Path) -> list[float]:
    with (run / "metrics.csv").open(newline="") as file:
        return [float(row["val/loss"]) for row in csv.DictReader(file) if row["val/loss"]]


def test_checkpoints_have_what_was_validated_and_training_resumes_with_both(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = fit(config, "whole", "--trainer.max_epochs=3")
    fit(config, "parts", "--trainer.max_steps=6")
    parts = fit(config, "parts", "--trainer.max_epochs=3", "--ckpt_path=last")
    best, last, resumed = checkpoint(whole, "best.ckpt"), checkpoint(whole, "last.ckpt"), checkpoint(parts, "last.ckpt")
    trained = last["callbacks"][STATE]["trained_weights"]
    assert equal(resumed["callbacks"][STATE]["trained_weights"], trained)
    assert equal(resumed["state_dict"], last["state_dict"])
    assert not equal(trained, last["state_dict"])
    without = fit(config, "without", "--trainer.max_epochs=3")
    assert equal(trained, checkpoint(without, "last.ckpt")["state_dict"]), "what is trained knows of no average"

    validated = losses(whole)
    assert losses(parts) == validated != losses(without)
    assert best["global_step"] == 2 * (validated.index(min(validated)) + 1)
    for name, saved in (("best", best), ("last", last)):
        path, loss = whole / "checkpoints" / f"{name}.ckpt", validated[saved["global_step"] // 2 - 1]
        capsys.readouterr()
        assert main(["validate", "--config", str(whole / "config.yaml"), "--ckpt_path", str(path)]) == 0
        measured = re.search(r"val/loss\D+([0-9.]+)", capsys.readouterr().out)
        assert measured is not None
        assert float(measured[1]) == pytest.approx(loss, rel=1e-6)
    capsys.readouterr()
    assert main(["translate", "--ckpt_path", str(whole), "--input", str(config.parent / "val.de")]) == 0
    hypotheses = capsys.readouterr().out
    plain = config.parent / "plain.ckpt"
    torch.save({**best, "state_dict": {**best["state_dict"], **trained}}, plain)
    assert main(["translate", "--ckpt_path", str(plain), "--input", str(config.parent / "val.de")]) == 0
    assert capsys.readouterr().out != hypotheses, "other weights translate otherwise"


def test_a_decay_of_one_would_never_learn() -> None:
    with pytest.raises(UserError, match="decay of ExponentialMovingAverage is 1"):
        ExponentialMovingAverage(1.0)
