"""What callbacks and schedules monitor, held against what an experiment logs, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol, runtime_checkable

import lightning as L
from lightning.pytorch.callbacks import EarlyStopping, LambdaCallback, LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_info

from datamodules.errors import UserError, suggest
from lightning_modules.training.step_loss import StepLossModule
from lightning_modules.training.trainer_parts import callbacks_of

KNOWN_PACKAGES = ("experiments", "lightning_modules", "lightning")
"""Whose modules and callbacks log nothing beside what they declare."""

UNDECLARED = (LearningRateMonitor, LambdaCallback)
"""Lightning's callbacks that log what depends on more than their class."""


@runtime_checkable
class DeclaringMetrics(Protocol):
    """A LightningModule or a callback that says what it logs."""

    def logged_metrics(self) -> set[str]:
        """The names of the metrics that a training logs here, in its steps and in its validations."""


class Monitor(NamedTuple):
    """Something that waits for a metric.

    Attributes:
        owner: Who does, in words.
        metric: The metric's name.
        beside: What the owner knows beside the metrics.
    """

    owner: str
    metric: str
    beside: frozenset[str] = frozenset()


def check_monitors(trainer: L.Trainer, model: L.LightningModule) -> None:
    """Compares every monitor with what model and callbacks log.

    Args:
        trainer: Just made, with its callbacks.
        model: What it is going to train.

    Raises:
        UserError: A monitor waits for a metric that nothing logs.
    """
    for monitor in _monitors(trainer, model):
        check_monitor(monitor, trainer, model)


def check_monitor(monitor: Monitor, trainer: L.Trainer, model: L.LightningModule) -> None:
    """Compares one monitor.

    A class of somebody else's may log what nobody here knows: then it is a line, no error, and the first validation
    shows who was right.

    Raises:
        UserError: Nothing logs the metric.
    """
    parts = [model, *callbacks_of(trainer)]
    known = {name for part in parts if isinstance(part, DeclaringMetrics) for name in part.logged_metrics()}
    if monitor.metric in known | monitor.beside:
        return
    hint = suggest(monitor.metric, known)
    strangers = [type(part).__name__ for part in parts if not _declares_all(part)]
    if not strangers:
        raise UserError(f"{monitor.owner} monitors '{monitor.metric}', which this experiment does not log: {hint}")
    may = " or ".join(dict.fromkeys(strangers))
    rank_zero_info(
        f"{monitor.owner} monitors '{monitor.metric}', which only {may} can log, as no other part does: {hint}"
    )


def _monitors(trainer: L.Trainer, model: L.LightningModule) -> Iterator[Monitor]:
    for callback in callbacks_of(trainer):
        name = type(callback).__name__
        if isinstance(callback, ModelCheckpoint) and callback.monitor is not None:
            yield Monitor(name, callback.monitor, frozenset({"epoch", "step"}))
        elif isinstance(callback, EarlyStopping) and callback.strict:
            yield Monitor(name, callback.monitor)
    if isinstance(model, StepLossModule) and (metric := model.monitored_by_schedule()) is not None:
        yield Monitor("model.init_args.scheduler", metric)


def _declares_all(part: object) -> bool:
    """Whether a part logs what it declares and nothing else: what is inherited does not speak for a subclass."""
    if "logged_metrics" in vars(type(part)):
        return True
    return type(part).__module__.partition(".")[0] in KNOWN_PACKAGES and not isinstance(part, UNDECLARED)
