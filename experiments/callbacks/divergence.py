"""A training that does worse than it would by learning nothing."""

from __future__ import annotations

import logging
from collections import deque
from typing import Any

import lightning as L

from datamodules.batch import Batch
from lightning_modules.training.step_loss import StepLossModule
from lightning_modules.training.trainer_parts import logging_interval

LOSS = "train/loss"
MOST_LOOKS = 8

_log = logging.getLogger(__name__)


class Divergence(L.Callback):
    """Says that the training loss rose beyond that of a model that has learned nothing: once, and again at the end.

    It is looked at as often as the Trainer logs, and at the end of each epoch. Single batches are hard or easy, so that
    the mean of the last looks counts, and the fewer they are, the farther it has to be beyond: three times as much for
    one, a quarter more for eight. Models that do not tell their :meth:`StepLossModule.chance_loss` are left alone.
    """

    def __init__(self) -> None:
        self._looks: deque[float] = deque(maxlen=MOST_LOOKS)
        self._chance: float | None = None
        self._is_told = False

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's hook
        batch: Batch,
        batch_idx: int,
    ) -> None:
        """Looks, on rank zero, at its own share of the batch."""
        every = logging_interval(trainer)
        is_due = trainer.fit_loop.epoch_loop.batch_progress.is_last_batch or trainer.global_step % max(1, every) == 0
        if not (isinstance(pl_module, StepLossModule) and trainer.is_global_zero and is_due and len(batch)):
            return
        loss, self._chance = trainer.callback_metrics.get(LOSS), pl_module.chance_loss(batch)
        if loss is None or self._chance is None:
            return
        self._looks.append(float(loss))
        if self._is_beyond() and not self._is_told:
            self._is_told = True
            rate = trainer.optimizers[0].param_groups[0]["lr"]
            _log.warning(
                f"step {trainer.global_step}: {self._compared()}: the training diverges (learning rate {rate:.3g})"
            )

    def closing_remark(self) -> str | None:
        """What is said at the end where the loss is still beyond: a line; None where it is not."""
        if not self._is_beyond():
            return None
        return f"at the end {self._compared()}: the training has diverged; begin anew with a lower learning rate"

    def _is_beyond(self) -> bool:
        return bool(self._looks and self._chance) and self._mean() > (1 + 2 / len(self._looks)) * (self._chance or 0.0)

    def _mean(self) -> float:
        return sum(self._looks) / len(self._looks)

    def _compared(self) -> str:
        return f"{LOSS} is {self._mean():.3g}, that of a model that has learned nothing {self._chance:.3g}"
