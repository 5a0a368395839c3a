"""Which batch is at work, for the message of what fails in it."""

from __future__ import annotations

from typing import Any, Literal

import lightning as L

Stage = Literal["train", "val", "test", "predict"]


class CurrentBatch(L.Callback):
    """Remembers the batch that is at work.

    Attributes:
        batch: The batch, on its device; None before the first.
        stage: What is done with it.
    """

    def __init__(self) -> None:
        self.batch: Any = None
        self.stage: Stage = "train"

    def on_train_batch_start(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        batch: Any,  # noqa: ANN401 - every data module has its own batches
        batch_idx: int,
    ) -> None:
        """Remembers the training batch that starts."""
        self.batch, self.stage = batch, "train"

    def on_validation_batch_start(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        batch: Any,  # noqa: ANN401
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Remembers the validation batch that starts."""
        self.batch, self.stage = batch, "val"

    def on_test_batch_start(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        batch: Any,  # noqa: ANN401
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Remembers the test batch that starts."""
        self.batch, self.stage = batch, "test"

    def on_predict_batch_start(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        batch: Any,  # noqa: ANN401
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Remembers the prediction batch that starts."""
        self.batch, self.stage = batch, "predict"
