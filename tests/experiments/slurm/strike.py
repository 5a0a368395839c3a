"""A callback that does to a training what a scheduler does."""

import multiprocessing
import os
import signal
import time

import lightning as L
from torch import Tensor


class Strike(L.Callback):
    """Sends this process, and its loader's, a signal once, as SLURM does to all of a job.

    Args:
        step: After which optimizer step; 0 is before the first batch.
        name: Name of the signal.
    """

    def __init__(self, step: int, name: str = "SIGUSR1") -> None:
        self.step = step
        self.number = signal.Signals[name]

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.step == trainer.global_step == 0:
            self._strike()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Tensor, batch: object, batch_idx: int
    ) -> None:
        if 0 < self.step == trainer.global_step:
            self._strike()

    def _strike(self) -> None:
        for process in (os.getpid(), *(child.pid for child in multiprocessing.active_children() if child.pid)):
            os.kill(process, self.number)


class Slow(L.Callback):
    """Gives signals time to come.

    Args:
        seconds: That each batch takes longer.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Tensor, batch: object, batch_idx: int
    ) -> None:
        time.sleep(self.seconds)
