"""Counts the steps of loggers from the optimizer steps that there were."""

from __future__ import annotations

import lightning as L

from datamodules.batch import Batch


class StepCount(L.Callback):
    """Lets loggers resume where they were, whatever the checkpoint was written after.

    Lightning's count of steps for loggers is one short in a checkpoint that was written between a validation and the
    next batch.
    """

    def on_train_batch_start(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        """Sets the count before each optimizer step."""
        if batch_idx % trainer.accumulate_grad_batches == 0:
            trainer.fit_loop.epoch_loop._batches_that_stepped = trainer.global_step
