"""A callback that does to a training what a scheduler does."""

import os
import signal

import lightning as L
from torch import Tensor


class Strike(L.Callback):
    """Sends this process a signal once.

    Args:
        step: After which optimizer step; 0 is before the first batch.
        name: Of the signal.
    """

    def __init__(self, step: int, name: str = "SIGUSR1") -> None:
        self.step = step
        self.number = signal.Signals[name]

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.step == trainer.global_step == 0:
            os.kill(os.getpid(), self.number)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Tensor, batch: object, batch_idx: int
    ) -> None:
        if 0 < self.step == trainer.global_step:
            os.kill(os.getpid(), self.number)
