"""Training goes on behind the last batch that it has seen, in the middle of an epoch too."""

from __future__ import annotations

import lightning as L

from datamodules.batch import LabelledBatch, SequenceBatch
from datamodules.plan import BatchPlan


class EpochPosition(L.Callback):
    """Lets the batch plan of a resumed epoch begin behind the batches that were trained before.

    The Trainer counts on from the batch at which the checkpoint was written, but takes batches from the first one of
    the epoch. It would ask the loader for the state that a checkpoint keeps of it, were the loader not made before the
    checkpoint is read: a schedule asks for the number of updates.
    """

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Tells the plan, after the checkpoint was restored and before the first batch is loaded."""
        plan = getattr(trainer.train_dataloader, "sampler", None)
        seen = trainer.fit_loop.epoch_loop.batch_progress.current.ready
        if isinstance(plan, BatchPlan) and seen < trainer.num_training_batches:
            plan.skip(seen)

    def on_train_batch_start(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        batch: SequenceBatch | LabelledBatch,
        batch_idx: int,
    ) -> None:
        """Lets loggers count on from the optimizer steps that there were, whatever the checkpoint was written after."""
        if batch_idx % trainer.accumulate_grad_batches == 0:
            trainer.fit_loop.epoch_loop._batches_that_stepped = trainer.global_step
