"""A callback that counts and times updates. It runs in the toolkit's virtual environment, which has no seqlab."""

from __future__ import annotations

import time
from typing import Protocol

import lightning
import torch


class Target(Protocol):
    """The targets of a batch of the toolkit."""

    @property
    def mask(self) -> torch.Tensor:
        """True at padding."""


class Batch(Protocol):
    """A batch of the toolkit."""

    target: Target


class StepClock(lightning.Callback):
    """Prints target tokens per second: ``step 20, time 1234.567890, target tokens per second 380.1``.

    Args:
        every: Updates between two lines.
    """

    def __init__(self, every: int) -> None:
        self._every = every
        self._last = 0.0
        self._tokens = 0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """The clock starts."""
        self._last = time.perf_counter()

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: object,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        """Counts the batch's target tokens, EOS among them."""
        self._tokens += int((~batch.target.mask).sum())
        if trainer.global_step % self._every == 0:
            now = time.perf_counter()
            speed = self._tokens / (now - self._last)
            print(f"step {trainer.global_step}, time {now:.6f}, target tokens per second {speed:.1f}", flush=True)
            self._last, self._tokens = now, 0
