"""Names of checkpoints that a shell, a URL and a glob take as they are."""

from __future__ import annotations

import re
from pathlib import Path

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint

DEFAULT_NAME = "epoch-{epoch:03d}-step-{step:06d}"
"""Where a callback is given no name; in the order of time, as files are listed."""


def name_plainly(trainer: L.Trainer, directory: Path) -> None:
    """Gives what Lightning would call ``epoch=0-step=5.ckpt`` a name without ``=``, in the run's directory.

    Args:
        trainer: Just made; one that was given no ModelCheckpoint has one of Lightning's.
        directory: For those that were given none.
    """
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, ModelCheckpoint):
            callback.dirpath = callback.dirpath or str(directory.resolve())
            callback.filename = plain_name(callback.filename, callback.auto_insert_metric_name)
            callback.auto_insert_metric_name = False


def plain_name(template: str | None, names_metrics: bool) -> str:
    """A template of names, with ``-`` between a metric and its value, and without directories.

    Args:
        template: As ModelCheckpoint takes it: ``"{epoch}-{val/loss:.2f}"`` becomes
            ``"epoch-{epoch}-val_loss-{val/loss:.2f}"``.
        names_metrics: Whether the names of the metrics are to stand before their values, as is Lightning's default.
    """
    if not template or not names_metrics:
        return template or DEFAULT_NAME
    return re.sub(r"\{([^:}]+)", lambda found: f"{found[1].replace('/', '_')}-{found[0]}", template)
