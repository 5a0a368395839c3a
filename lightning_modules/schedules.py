"""Learning-rate schedules, stepped once per update; and what steps one at other times, or on a metric."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau

from datamodules.errors import UserError

Interval = Literal["step", "epoch", "validation"]
"""After what a schedule is stepped: an update of the weights, the last one of an epoch, a validation."""


class TimedSchedule(LRScheduler):
    """Another schedule, stepped at other times than after each update, or on a metric.

    Args:
        optimizer: The optimizer; the model gives it.
        schedule: Made of (optimizer): any of torch's or Lightning's, or one of your own.
        interval: What it is stepped after: each update ('step'), epoch, or validation. If not given, each validation
            where it waits for a metric, as it has to, and else each epoch.
        frequency: Only so many of these make a step.
        monitor: The metric that it waits for, of those that wait for one (``ReduceLROnPlateau``).

    Raises:
        UserError: ``frequency`` is below 1; a schedule that waits for a metric has none, or is stepped at other times
            than validations; another has one; or it is a ``WarmupSchedule``, whose steps are updates.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedule: Callable[[Optimizer], LRScheduler],
        interval: Interval | None = None,
        frequency: int = 1,
        monitor: str | None = None,
    ) -> None:
        if frequency < 1:
            raise UserError(f"frequency of {type(self).__name__} is {frequency}: give at least 1")
        self.optimizer = optimizer
        self.schedule = schedule(optimizer)
        name, waits = type(self.schedule).__name__, isinstance(self.schedule, ReduceLROnPlateau)
        if isinstance(self.schedule, WarmupSchedule):
            raise UserError(f"{name} counts the updates of the whole run: name it without a {type(self).__name__}")
        if monitor is not None and not waits:
            raise UserError(f"monitor of {type(self).__name__} is {monitor!r}, but {name} waits for no metric")
        if waits and interval not in (None, "validation"):
            raise UserError(
                f"interval of {type(self).__name__} is {interval!r}, but {name} waits for a metric: leave it out, and "
                "it is stepped after each validation"
            )
        self.interval: Interval = interval or ("validation" if waits else "epoch")
        self.frequency = frequency
        self.monitor = monitor_of(self.schedule) if waits and monitor is None else monitor
        self._intervals = 0

    def step(self, metric: float | None = None) -> None:
        """One more interval has passed.

        Args:
            metric: That of :attr:`monitor`; None for a schedule that waits for none.
        """
        self._intervals += 1
        if self._intervals % self.frequency == 0:
            step_schedule(self.schedule, metric)

    def get_last_lr(self) -> list[Any]:
        """The rates of the schedule's last step, for each group of parameters."""
        return self.schedule.get_last_lr()

    def state_dict(self) -> dict[str, Any]:
        """How many intervals have passed, and the state of the schedule."""
        return {"intervals": self._intervals, "schedule": self.schedule.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over a position.

        Args:
            state_dict: What :meth:`state_dict` gave.
        """
        self._intervals = state_dict["intervals"]
        self.schedule.load_state_dict(state_dict["schedule"])


def timed_in(scheduler: Any) -> Any:  # noqa: ANN401 - Lightning's schedules have no common type
    """The schedule that sets the rate: that of a :class:`TimedSchedule`, and any other itself."""
    return scheduler.schedule if isinstance(scheduler, TimedSchedule) else scheduler


def interval_of(scheduler: object) -> Interval:
    """After what a schedule is stepped.

    Args:
        scheduler: One that a config gives.
    """
    if isinstance(scheduler, TimedSchedule):
        return scheduler.interval
    return "validation" if isinstance(scheduler, ReduceLROnPlateau) else "step"


def monitor_of(scheduler: object) -> str | None:
    """The metric that a schedule waits for; None where it waits for none.

    Args:
        scheduler: One that a config gives.

    Raises:
        UserError: It waits for one, and does not say which: torch's own class cannot.
    """
    monitor = getattr(scheduler, "monitor", None)
    if isinstance(scheduler, ReduceLROnPlateau) and not isinstance(monitor, str):
        raise UserError(
            f"model.init_args.scheduler: {type(scheduler).__module__}.{type(scheduler).__name__} does not say which "
            "metric it monitors: take lightning.pytorch.cli.ReduceLROnPlateau, with monitor"
        )
    return monitor if isinstance(scheduler, ReduceLROnPlateau | TimedSchedule) else None


def step_schedule(scheduler: LRScheduler, metric: float | None) -> None:
    """Steps a schedule, with its metric where it waits for one.

    Args:
        scheduler: One that a config gives.
        metric: That of :func:`monitor_of`; None for a schedule that waits for none.
    """
    if metric is None:
        scheduler.step()
    else:
        scheduler.step(metric)  # type: ignore[arg-type] # torch has another signature for those that take one


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
