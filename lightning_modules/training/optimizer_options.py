"""Optimizer options after a resume: those of the command line, not those that the checkpoint restored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from torch.optim import Optimizer
from torch.optim.lr_scheduler import CyclicLR, LambdaLR, LRScheduler, OneCycleLR

if TYPE_CHECKING:
    from lightning.pytorch.utilities.types import LRSchedulerPLType


def apply_given_options(optimizer: Optimizer, schedulers: Iterable[LRSchedulerPLType]) -> None:
    """Gives an optimizer the options that it was made with, where a restored state has others.

    A checkpoint's state brings its learning rate, betas and so on with it. The resolved config, in which the command
    line wins over the checkpoint, has made the optimizer; what it says counts. A schedule resumes where it was:
    one of closed form by its formula, any other in proportion to the new rate. What a schedule sets by itself, as
    ``CyclicLR`` and ``OneCycleLR`` do with rate and momentum, stays as it was.

    Args:
        optimizer: After its state was restored.
        schedulers: Those of the optimizer, restored as well.
    """
    own = [each for each in schedulers if isinstance(each, LRScheduler) and each.optimizer is optimizer]
    set_by_schedules = {name for each in own for name in _set_by(each)}
    given = {name: value for name, value in optimizer.defaults.items() if name not in set_by_schedules}
    for group in optimizer.param_groups:
        group.update({name: value for name, value in given.items() if name != "lr"})
    if "lr" not in given:
        return
    for group in optimizer.param_groups:
        saved = group.get("initial_lr", group["lr"])
        if saved != given["lr"]:
            group["lr"] = group["lr"] / saved * given["lr"] if saved else given["lr"]
            if "initial_lr" in group:
                group["initial_lr"] = given["lr"]
    for scheduler in own:
        scheduler.base_lrs = [given["lr"]] * len(optimizer.param_groups)
        if isinstance(scheduler, LambdaLR):
            for group, factor in zip(optimizer.param_groups, scheduler.lr_lambdas, strict=True):
                group["lr"] = given["lr"] * factor(scheduler.last_epoch)


def _set_by(scheduler: LRScheduler) -> tuple[str, ...]:
    """The options of an optimizer that a schedule sets, whatever the optimizer was made with."""
    if not isinstance(scheduler, CyclicLR | OneCycleLR):
        return ()
    return ("lr", "momentum", "betas") if scheduler.cycle_momentum else ("lr",)
