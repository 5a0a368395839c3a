"""Learning-rate schedules, stepped once per update."""

from __future__ import annotations

import math
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from datamodules.errors import UserError


def monitor_of(scheduler: ReduceLROnPlateau) -> str:
    """The metric that a schedule waits for.

    Args:
        scheduler: Lowers the rate when the metric gets no better.

    Raises:
        UserError: It does not say one: torch's own class cannot.
    """
    monitor = getattr(scheduler, "monitor", None)
    if not isinstance(monitor, str):
        raise UserError(
            f"model.init_args.scheduler: {type(scheduler).__module__}.{type(scheduler).__name__} does not say which "
            "metric it monitors: take lightning.pytorch.cli.ReduceLROnPlateau, with monitor"
        )
    return monitor


class WarmupSchedule(LambdaLR):
    """A linear rise over the first updates, then a fall to a last value at the end of the run.

    The run's length is not written here again: the model gives it, from the trainer's ``max_epochs`` or ``max_steps``.

    Args:
        optimizer: The optimizer; the model gives it.
        warmup_steps: Updates of the rise.
        final_factor: Share of the learning rate that is left at the end.
        cosine: Fall along half a cosine (Loshchilov and Hutter 2017, section 3) in place of a line.

    Raises:
        UserError: ``warmup_steps`` is negative, or ``final_factor`` outside [0, 1].
    """

    def __init__(
        self, optimizer: Optimizer, warmup_steps: int = 400, final_factor: float = 0.0, cosine: bool = False
    ) -> None:
        if warmup_steps < 0:
            raise UserError(f"warmup_steps is {warmup_steps}: give 0 or more")
        if not 0.0 <= final_factor <= 1.0:
            raise UserError(f"final_factor is {final_factor}: give 0 to 1")
        self.warmup_steps = warmup_steps
        self.final_factor = final_factor
        self.cosine = cosine
        self.total_steps: int | None = None
        super().__init__(optimizer, self.factor)

    def plan(self, total_steps: int) -> None:
        """Says how many updates the run will have.

        Args:
            total_steps: Updates of the whole run.
        """
        self.total_steps = total_steps

    def state_dict(self) -> dict[str, Any]:
        """The position alone: a resumed run follows the plan that it is given, which may be a longer one."""
        return {"last_epoch": self.last_epoch, "_step_count": self._step_count, "_last_lr": self._last_lr}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over a position.

        Args:
            state_dict: What :meth:`state_dict` gave.
        """
        self.__dict__.update(state_dict)

    def factor(self, step: int) -> float:
        """The share of the learning rate at an update, counted from 0."""
        rise = min(1.0, (step + 1) / (self.warmup_steps + 1))
        if self.total_steps is None or self.total_steps <= self.warmup_steps:
            return rise
        progress = min(1.0, max(0.0, (step - self.warmup_steps) / (self.total_steps - self.warmup_steps)))
        fallen = (1 - math.cos(math.pi * progress)) / 2 if self.cosine else progress
        return rise * (1 - (1 - self.final_factor) * fallen)
