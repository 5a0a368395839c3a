"""Checkpoints whose names need no quotes, whichever callback writes them."""

from pathlib import Path

import pytest

from experiments.checkpoints.checkpoint_names import plain_name
from experiments.cli import main
from tests.experiments.tiny_task import write_tiny_task

LIGHTNINGS = "--trainer.callbacks=lightning.pytorch.callbacks.ModelCheckpoint"
OPTION = "--trainer.callbacks.init_args"


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ([], {"best.ckpt", "last.ckpt"}),
        ([LIGHTNINGS], {"epoch-001-step-000004.ckpt"}),
        (["--trainer.callbacks", "null"], {"epoch-001-step-000004.ckpt"}),
        (
            [LIGHTNINGS, f"{OPTION}.every_n_train_steps=2", f"{OPTION}.save_top_k=-1", f"{OPTION}.save_last=true"],
            {"epoch-000-step-000002.ckpt", "epoch-001-step-000004.ckpt", "last.ckpt"},
        ),
        (
            [LIGHTNINGS, f"{OPTION}.monitor=val/accuracy", f"{OPTION}.filename={{epoch}}-{{val/accuracy:.0f}}"],
            {"epoch-0-val_accuracy-0.ckpt"},
        ),
    ],
    ids=["of the config", "plain", "none at all", "by steps", "with a metric"],
)
def test_names(options: list[str], names: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_tiny_task(tmp_path, seed=1, train_size=40)
    short = ["--trainer.logger", "false", "--trainer.max_epochs", "2", "--trainer.limit_val_batches", "1"]
    still = ["--model.init_args.optimizer.init_args.lr", "1e-9"]  # so that the first validation is the best
    assert main(["fit", "--config", str(config), *short, *still, *options]) == 0
    checkpoints = tmp_path / "runs" / "tiny" / "1" / "checkpoints"
    assert {str(path.relative_to(checkpoints)) for path in checkpoints.rglob("*.ckpt")} == names
    named = sorted(names)[-1] if len(names) == 1 else ""
    assert f"--ckpt_path {checkpoints / named}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("template", "names_metrics", "expected"),
    [
        (None, True, "epoch-{epoch:03d}-step-{step:06d}"),
        ("", False, "epoch-{epoch:03d}-step-{step:06d}"),
        ("best", True, "best"),
        ("{step}", True, "step-{step}"),
        ("m-{epoch:02d}-{val/loss:.2f}", True, "m-epoch-{epoch:02d}-val_loss-{val/loss:.2f}"),
        ("epoch-{epoch:03d}", False, "epoch-{epoch:03d}"),
    ],
)
def test_templates(template: str | None, names_metrics: bool, expected: str) -> None:
    assert plain_name(template, names_metrics) == expected
