"""The metrics file of a resumed run continues where its checkpoint was written."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import lightning as L


@runtime_checkable
class Truncated(Protocol):
    """A logger that takes back what was logged after a checkpoint."""

    def truncate(self, step: int, rows: int | None = None) -> None:
        """Leaves so many rows; where the number is not known, those before a step."""


@runtime_checkable
class Counted(Protocol):
    """A logger whose file has rows, which a checkpoint counts."""

    def synced_rows(self) -> int:
        """The number of rows that are on the disk from now on."""


class TruncateMetrics(L.Callback):
    """Cuts ``metrics.csv`` back to the checkpoint that training resumes from, so that no row comes twice.

    A checkpoint says how many rows there were. Of one that does not say it, the rows before its step stay.
    What TensorBoard shows is cut back likewise.
    """

    def __init__(self) -> None:
        self._rows: int | None = None

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Says how many rows there are, which are on the disk before the checkpoint is."""
        for logger in trainer.loggers:
            if isinstance(logger, Counted):
                checkpoint["metrics_rows"] = logger.synced_rows()

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Takes the number of rows."""
        self._rows = checkpoint.get("metrics_rows")

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Cuts, on rank zero, after the checkpoint was restored and before anything is logged.

        Raises:
            RunFailed: The file cannot be written, for example on a full disk.
        """
        for logger in trainer.loggers:
            if isinstance(logger, Truncated):
                logger.truncate(trainer.global_step, self._rows)
