"""Optimizer options after a resume: those of the command line, not those that the checkpoint restored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

if TYPE_CHECKING:
    from lightning.pytorch.utilities.types import LRSchedulerPLType


def apply_given_options(optimizer: Optimizer, schedulers: Iterable[LRSchedulerPLType]) -> None:
    """Gives an optimizer the options that it was made with, where a restored state has others.

    A checkpoint's state brings its learning rate, betas and so on with it. The resolved config, in which the command
    line wins over the checkpoint, has made the optimizer; what it says counts. A schedule resumes where it was:
    one of closed form by its formula, any other in proportion to the new rate.

    Args:
        optimizer: After its state was restored.
        schedulers: Those of the optimizer, restored as well.
    """
    given = optimizer.defaults
    for group in optimizer.param_groups:
        saved = group.get("initial_lr", group["lr"])
        if saved != given["lr"]:
            group["lr"] = group["lr"] / saved * given["lr"] if saved else given["lr"]
            if "initial_lr" in group:
                group["initial_lr"] = given["lr"]
        group.update({name: value for name, value in given.items() if name != "lr"})
    for scheduler in schedulers:
        if isinstance(scheduler, LRScheduler) and scheduler.optimizer is optimizer:
            scheduler.base_lrs = [given["lr"]] * len(optimizer.param_groups)
            if isinstance(scheduler, LambdaLR):
                for group, factor in zip(optimizer.param_groups, scheduler.lr_lambdas, strict=True):
                    group["lr"] = given["lr"] * factor(scheduler.last_epoch)
