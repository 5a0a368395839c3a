"""Pictures and tables of a run: always on disk, and in every logger that shows them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import lightning as L
from matplotlib.figure import Figure

from datamodules.errors import RunFailed
from experiments.storage.durable import durable_write
from experiments.storage.layout import FIGURES

DOTS_PER_INCH = 100


@runtime_checkable
class MediaLogger(Protocol):
    """A logger that shows pictures and tables."""

    def log_picture(self, key: str, path: Path, step: int) -> None:
        """Logs a picture file at an optimizer step."""

    def log_rows(self, key: str, columns: Sequence[str], rows: Sequence[Sequence[str | float]], step: int) -> None:
        """Logs a table at an optimizer step."""


def log_figure(trainer: L.Trainer, key: str, figure: Figure, step: int) -> None:
    """Writes a figure to ``figures/`` and shows it in the loggers that can.

    Args:
        trainer: Knows the run's directory and its loggers; on other ranks than zero nothing happens.
        key: The figure's name, ``stage/name``; the file is ``stage-name-step000123.png``.
        figure: What to show.
        step: The optimizer step that it belongs to.

    Raises:
        RunFailed: The file cannot be written, for example on a full disk.
    """
    if not trainer.is_global_zero:
        return
    path = Path(trainer.default_root_dir) / FIGURES / f"{key.replace('/', '-')}-step{step:06d}.png"
    write_figure(figure, path)
    for logger in trainer.loggers:
        if isinstance(logger, MediaLogger):
            logger.log_picture(key, path, step)


def write_figure(figure: Figure, path: Path) -> None:
    """Writes a figure as PNG, whole or not at all.

    Args:
        figure: What to write.
        path: The file; its directory is made.

    Raises:
        RunFailed: The file cannot be written, for example on a full disk.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunFailed(f"cannot make the directory {path.parent}: {error.strerror}") from error
    with durable_write(path) as file:
        figure.savefig(file, format="png", dpi=DOTS_PER_INCH)


def log_table(
    trainer: L.Trainer, key: str, columns: Sequence[str], rows: Sequence[Sequence[str | float]], step: int
) -> None:
    """Shows a table in the loggers that can.

    Args:
        trainer: Knows the loggers; on other ranks than zero nothing happens.
        key: The table's name, ``stage/name``.
        columns: Names of the columns.
        rows: As many cells each as there are columns.
        step: The optimizer step that it belongs to.
    """
    if not trainer.is_global_zero:
        return
    for logger in trainer.loggers:
        if isinstance(logger, MediaLogger):
            logger.log_rows(key, columns, rows, step)
