"""How fast a model trains."""

from __future__ import annotations

import time
from typing import Any

import lightning as L
import torch
from torch import Tensor

from datamodules.batch import Batch
from lightning_modules.training.trainer_parts import logging_interval


class Throughput(L.Callback):
    """Logs ``train/tokens_per_second``: tokens of all ranks, padding not included, per second.

    What a token is the batch says: a target token, EOS included, or a position of a labelled sequence. The value is the
    mean since the one before. The clock stands still in validation and while a checkpoint is written, and runs while
    the next batch is waited for.
    """

    def __init__(self) -> None:
        self._tokens: Tensor | int = 0
        self._seconds = 0.0
        self._running_since: float | None = None
        self._last_step = 0

    def logged_metrics(self) -> set[str]:
        """The metrics that a training logs here."""
        return {"train/tokens_per_second"}

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Begins to count."""
        self._tokens, self._seconds, self._running_since = 0, 0.0, None
        self._last_step = trainer.global_step

    def on_train_batch_start(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        """Lets the clock run, if it stands."""
        if self._running_since is None:
            self._running_since = time.perf_counter()

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's hook
        batch: Batch,
        batch_idx: int,
    ) -> None:
        """Counts the batch's tokens, and logs at the steps at which the Trainer does."""
        self._tokens = self._tokens + batch.token_count
        has_stepped, self._last_step = trainer.global_step != self._last_step, trainer.global_step
        every = logging_interval(trainer)
        if has_stepped and every and trainer.global_step % every == 0:
            self._stop(pl_module)
            self._running_since = time.perf_counter()
            counted = torch.tensor([float(self._tokens), self._seconds], device=pl_module.device)
            tokens, seconds = trainer.strategy.reduce(counted, reduce_op="sum").tolist()
            pl_module.log("train/tokens_per_second", tokens / (seconds / trainer.world_size), batch_size=len(batch))
            self._tokens, self._seconds = 0, 0.0

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stops the clock until the next training batch."""
        self._stop(pl_module)

    def on_save_checkpoint(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        checkpoint: dict[str, Any],
    ) -> None:
        """Stops the clock until the next training batch."""
        self._stop(pl_module)

    def _stop(self, module: L.LightningModule) -> None:
        if self._running_since is None:
            return
        if module.device.type == "cuda":
            torch.cuda.synchronize(module.device)  # what was started is part of the time
        self._seconds += time.perf_counter() - self._running_since
        self._running_since = None
