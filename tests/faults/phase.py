"""What a training is doing, told to whoever kills it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import lightning as L

VARIABLE = "SEQLAB_TEST_PHASE"
"""The environment variable that names the file in which it is told."""

_WIDTH = 40


class Phase(L.Callback):
    """Writes into a file what the training does, on rank zero: a kill leaves the last word."""

    def __init__(self) -> None:
        self._file = os.open(os.environ[VARIABLE], os.O_WRONLY | os.O_CREAT) if VARIABLE in os.environ else None

    def _tell(self, trainer: L.Trainer, phase: str) -> None:
        if self._file is not None and trainer.is_global_zero and not trainer.sanity_checking:
            os.pwrite(self._file, phase.ljust(_WIDTH).encode(), 0)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._tell(trainer, "between steps")

    def on_train_batch_start(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        batch: Any,  # noqa: ANN401 - Lightning's hook
        batch_idx: int,
    ) -> None:
        self._tell(trainer, "in a step")

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's hook
        batch: Any,  # noqa: ANN401 - as above
        batch_idx: int,
    ) -> None:
        self._tell(trainer, "between steps")

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._tell(trainer, "in validation")

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._tell(trainer, "between steps")

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._tell(trainer, "between epochs")

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._tell(trainer, "at the end")


def told_phase(file: Path) -> str:
    """What a training told last; empty where it told nothing."""
    return file.read_text(encoding="utf-8").strip() if file.exists() else ""
