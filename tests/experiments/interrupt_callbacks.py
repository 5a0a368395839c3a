"""A callback that presses Ctrl-C at a given moment of a training."""

from __future__ import annotations

import multiprocessing
import os
import signal
from typing import Any

import lightning as L
import torch


class Interrupts(L.Callback):
    """Sends SIGINT to this process and to its loader's, as a terminal does.

    Args:
        batch: During which training batch of the whole training, counted from 0.
        moments: When in it: hooks of a callback, each of them once.
    """

    def __init__(self, batch: int, moments: list[str]) -> None:
        self.batch = batch
        self.moments = list(moments)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._press("on_train_start", -1)

    def on_after_backward(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._press("on_after_backward", trainer.fit_loop.epoch_loop.total_batch_idx)

    def on_before_optimizer_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        self._press("on_before_optimizer_step", trainer.fit_loop.epoch_loop.total_batch_idx)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.sanity_checking:
            self._press("on_validation_start", trainer.fit_loop.epoch_loop.total_batch_idx)

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        if len(self.moments) == 1:  # the first Ctrl-C is the reason for it
            self._press("on_save_checkpoint", self.batch)

    def _press(self, moment: str, batch: int) -> None:
        if moment in self.moments and batch == self.batch:
            self.moments.remove(moment)
            for process in (os.getpid(), *(child.pid for child in multiprocessing.active_children() if child.pid)):
                os.kill(process, signal.SIGINT)
