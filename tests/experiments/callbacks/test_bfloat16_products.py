"""Training with products in bfloat16: what is measured is not; a resumed training is the same; errors are told."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch

from datamodules.errors import UserError
from experiments.callbacks import Bfloat16Products
from experiments.cli import main
from lightning_modules.kernels import bfloat16, onednn
from tests.experiments.tiny_task import write_tiny_task
from tests.lightning_modules.kernels.test_bfloat16 import has_units


@pytest.fixture(autouse=True)
def small_ones_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onednn, "LEAST_ROUNDED", 0)


def fit(config: Path, name: str, *words: str, when: str | None = "always") -> Path:
    callbacks = config.with_name(f"{name}.yaml")
    ours = [] if when is None else [f"{{class_path: Bfloat16Products, init_args: {{when: {when}}}}}"]
    callbacks.write_text(f"trainer:\n  callbacks: [{', '.join([*ours, 'BestCheckpoint'])}]\n")
    root = config.parent / name
    options = [f"--trainer.default_root_dir={root}", "--trainer.logger=experiments.loggers.MetricsCSV", *words]
    assert main(["fit", "--config", str(config), "--config", str(callbacks), *options]) == 0
    return root / "tiny" / "1"


def weights(run: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    return state


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


def test_it_trains_so_and_resumes_with_what_was_decided(
    tmp_path: Path,
    seed: int,
    monkeypatch: pytest.MonkeyPatch,
    reports: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = write_tiny_task(tmp_path, seed, train_size=128)
    whole = fit(config, "whole", "--trainer.max_epochs=2")
    plain = fit(config, "plain", "--trainer.max_epochs=2", when=None)
    if has_units():  # where nothing is rounded, another library still adds up in another order
        assert not equal(weights(whole), weights(plain))
    monkeypatch.setattr(bfloat16, "bfloat16_gain", lambda: 3.0)
    fit(config, "parts", "--trainer.max_epochs=1", when="faster")
    assert "large products in bfloat16 take 0.33 of float32's time here: used" in reports.messages
    monkeypatch.setattr(bfloat16, "bfloat16_gain", lambda: 1 / 0)
    parts = fit(config, "parts", "--trainer.max_epochs=2", "--ckpt_path=last", when="faster")
    assert equal(weights(whole), weights(parts))
    with (whole / "metrics.csv").open(newline="") as file:
        logged = [float(row["val/loss"]) for row in csv.DictReader(file) if row["val/loss"]][-1]
    capsys.readouterr()
    assert (
        main(["validate", "--config", str(whole / "config.yaml"), "--ckpt_path", str(whole / "checkpoints/last.ckpt")])
        == 0
    )
    assert f"{logged:.6f}"[:7] in capsys.readouterr().out, "what is measured is made in float32"


def test_where_it_is_not_faster_nothing_changes(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch, reports: pytest.LogCaptureFixture
) -> None:
    config = write_tiny_task(tmp_path, seed, train_size=64)
    plain = fit(config, "plain", "--trainer.max_epochs=1", when=None)
    monkeypatch.setattr(bfloat16, "bfloat16_gain", lambda: 1.1)
    slow = fit(config, "slow", "--trainer.max_epochs=1", when="faster")
    assert "large products in bfloat16 take 0.91 of float32's time here: not used" in reports.messages
    assert equal(weights(plain), weights(slow))


def test_an_error_ends_it(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise UserError("no more")

    config = write_tiny_task(tmp_path, seed, train_size=64)
    monkeypatch.setattr("lightning_modules.training.step_loss.StepLossModule.on_before_optimizer_step", fail)
    with pytest.raises(AssertionError):
        fit(config, "failing", "--trainer.max_epochs=1")
    assert bfloat16.Bfloat16Products.current() is None


def test_what_cannot_be(tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match="when of Bfloat16Products is 'never'"):
        Bfloat16Products("never")  # type: ignore[arg-type]  # what a config may say
    config = write_tiny_task(tmp_path, seed, train_size=64)
    words = ["fit", "--config", str(config), "--trainer.callbacks+=Bfloat16Products", "--trainer.precision=bf16-mixed"]
    assert main([*words, f"--trainer.default_root_dir={tmp_path}"]) == 2
    assert "but trainer.precision is bf16-mixed" in capsys.readouterr().err
