"""What models are made of: Lightning's module; torch's own where Lightning is not installed, for translating alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

if TYPE_CHECKING or find_spec("lightning") is not None:
    from lightning import LightningModule
    from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
else:
    OptimizerCallable = Callable[[Iterable], Optimizer]
    LRSchedulerCallable = Callable[[Optimizer], LRScheduler]

    class LightningModule(nn.Module):
        """The part of Lightning's module that searching and scoring need; training needs Lightning."""

        @property
        def device(self) -> torch.device:
            """Where the weights are."""
            return next(self.parameters()).device

        def save_hyperparameters(self) -> None:
            """Keeps nothing: what is made here is never saved."""


__all__ = ["LRSchedulerCallable", "LightningModule", "OptimizerCallable"]
