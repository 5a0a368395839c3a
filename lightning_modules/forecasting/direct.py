"""Direct forecasts: a network that predicts all steps at once."""

from __future__ import annotations

import torch
from torch import Tensor

from datamodules.batch import SeriesBatch
from lightning_modules.forecasting.module import ForecastModule
from lightning_modules.layers.forecasting.dlinear import DLinear
from lightning_modules.layers.forecasting.likelihood import Likelihood, SquaredError
from lightning_modules.layers.forecasting.network import NetworkFactory
from lightning_modules.layers.forecasting.offset import NoOffset, Offset
from lightning_modules.layers.initialisation import initialise
from lightning_modules.training.module import LRSchedulerCallable, OptimizerCallable


class DirectModule(ForecastModule):
    """A model that predicts all steps at once; a subclass says how."""

    def loss(self, batch: SeriesBatch) -> tuple[Tensor, int]:
        """The loss summed over the numbers that are known, and how many they are."""
        shifted, _ = self.shifted(batch)
        losses = self.likelihood.loss(self.parameters_ahead(shifted)[0], shifted.gold)
        return torch.where(batch.gold_known, losses, 0.0).sum(), int(batch.gold_known.sum())

    def training_step(self, batch: SeriesBatch, batch_idx: int) -> Tensor:
        """The summed loss of a batch; logs ``train/loss``, its mean."""
        if not len(batch):
            return self.scaled_loss(self.zero_loss(), 0, batch.index)
        loss, count = self.loss(batch)
        self.log("train/loss", loss.detach() / count, prog_bar=True, batch_size=len(batch))
        return self.scaled_loss(loss, count, batch.index)


class DirectForecaster(DirectModule):
    """All steps to predict at once, from the columns themselves; covariates and the calendar are not looked at.

    Parameters begin from the global seed and their names alone.

    Args:
        target_feature_size: Columns to predict; linked from the data.
        source_length: Steps that are read; linked from the data.
        target_length: Steps to predict; linked from the data.
        network: Made of (steps that are read, steps to predict, columns, parameters of a number).
        likelihood: What is said of a number, and trained: ``SquaredError`` if not given.
        offset: What is taken off each window, and given back to its forecast; nothing if not given.
        interval: The probability with which the intervals are to have the truth.
        steps: Steps, counted from 1, whose errors are also logged alone; the first and the last if not given.
        optimizer: Made of (parameters).
        scheduler: Learning-rate schedule made of (optimizer), stepped per update, or as a ``TimedSchedule`` says; none
            for a constant rate.

    Raises:
        UserError: A step is not within the horizon, or there can be no such intervals.
    """

    def __init__(
        self,
        target_feature_size: int,
        source_length: int,
        target_length: int,
        network: NetworkFactory = DLinear,
        likelihood: Likelihood | None = None,
        offset: Offset | None = None,
        interval: float = 0.9,
        steps: list[int] | None = None,
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        super().__init__(optimizer, scheduler)
        self.save_hyperparameters()
        self.measure(likelihood or SquaredError(), offset or NoOffset(), interval, target_length, steps)
        self.network = network(source_length, target_length, target_feature_size, self.likelihood.size)
        initialise(self, torch.initial_seed())

    def parameters_ahead(self, batch: SeriesBatch) -> tuple[Tensor, None]:
        """What is said of the steps to predict; see :meth:`ForecastModule.parameters_ahead`."""
        return self.network(batch.past, batch.past_known), None
