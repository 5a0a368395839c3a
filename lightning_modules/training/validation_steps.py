"""Schedules that are stepped after validations, before the checkpoints that are written there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lightning as L
import torch
from lightning.pytorch.trainer.states import TrainerFn

from datamodules.errors import UserError, suggest
from lightning_modules.schedules import interval_of, monitor_of, step_schedule

if TYPE_CHECKING:
    from torch.optim.lr_scheduler import LRScheduler


class ValidationSteps(L.Callback):
    """Steps the schedules that are stepped after each validation; the model brings it along.

    Lightning steps one that waits for a metric after the checkpoints of the same moment, which then know nothing of it,
    and not at all in a training that resumes from one of them. Callbacks that write checkpoints come behind this.
    """

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Steps them; not after the validation that only tries whether everything runs."""
        if trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking:
            step_validated(trainer)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Steps them in place of a validation, where a training has none."""
        if not trainer.enable_validation:
            step_validated(trainer)


def step_validated(trainer: L.Trainer) -> None:
    """Steps the schedules of a trainer that are stepped after validations.

    Args:
        trainer: In training.

    Raises:
        UserError: One waits for a metric that nothing has logged.
    """
    for config in trainer.lr_scheduler_configs:
        scheduler: LRScheduler = config.scheduler
        if interval_of(scheduler) == "validation":
            step_schedule(scheduler, _value(trainer, monitor_of(scheduler)))


def _value(trainer: L.Trainer, metric: str | None) -> float | None:
    """The metric's value, the mean over the processes: each logs the training's loss of its own batches."""
    if metric is None:
        return None
    known = trainer.callback_metrics
    if metric not in known:
        raise UserError(
            f"model.init_args.scheduler monitors '{metric}', which nothing has logged at step {trainer.global_step}: "
            f"{suggest(metric, known)}"
        )
    value = torch.as_tensor(known[metric], device=trainer.strategy.root_device)
    return float(trainer.strategy.reduce(value, reduce_op="mean"))
