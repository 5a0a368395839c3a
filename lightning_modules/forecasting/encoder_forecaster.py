"""Direct forecasts of an encoder: all that is known of a window is read, and all steps are predicted at once."""

from __future__ import annotations

import torch
from torch import Tensor

from datamodules.batch import SeriesBatch
from datamodules.errors import UserError
from lightning_modules.forecasting.direct import DirectModule
from lightning_modules.kernels.dropout import Dropout
from lightning_modules.kernels.linear import Linear
from lightning_modules.layers.checks import check_shares
from lightning_modules.layers.encoder import EncoderFactory, RecurrentEncoder
from lightning_modules.layers.forecasting.likelihood import Likelihood, SquaredError
from lightning_modules.layers.forecasting.offset import NoOffset, Offset
from lightning_modules.layers.initialisation import initialise
from lightning_modules.layers.pooling import AttentionPooling, FinalStatePooling, PoolingFactory
from lightning_modules.training.module import LRSchedulerCallable, OptimizerCallable


class EncoderForecaster(DirectModule):
    """An encoder over all that is known of a window, and all steps to predict at once, beside a linear model.

    The encoder reads columns, covariates and the calendar; the pooling makes one vector p of what it says. A linear
    model reads the last steps s and what is known ahead a, all side by side: ``W p + V [s; a] + b``. The linear part
    keeps the scale of the series, and leaves to the encoder what is not linear, as that of LSTNet does (Lai et al.
    2018, section 3.6), which reads the columns alone, each by itself.

    With :class:`AttentionPooling` a forecast has weights over the steps that were read, the same for each step that is
    predicted. Parameters begin from the global seed and their names alone.

    Args:
        source_feature_size: Numbers of a step that is read; linked from the data.
        target_feature_size: Columns to predict; linked from the data.
        future_feature_size: Numbers that are known ahead of a step to predict; linked from the data.
        source_length: Steps that are read; linked from the data.
        target_length: Steps to predict; linked from the data.
        encoder: Made of (source feature size).
        pooling: Made of (memory size, state size).
        linear_steps: The last steps that the linear part reads; 0 leaves the linear part out.
        input_dropout: Dropout on what the encoder reads.
        dropout: Dropout on the pooled vector.
        likelihood: What is said of a number, and trained: ``SquaredError`` if not given.
        offset: What is taken off each window, and given back to its forecast; nothing if not given.
        interval: The probability with which the intervals are to have the truth.
        steps: Steps, counted from 1, whose errors are also logged alone; the first and the last if not given.
        optimizer: Made of (parameters).
        scheduler: Learning-rate schedule made of (optimizer), stepped per update, or as a ``TimedSchedule`` says; none
            for a constant rate.

    Raises:
        UserError: ``linear_steps`` is below 0 or above what is read, a dropout is outside [0, 1), a step is not within
            the horizon, or there can be no such intervals.
    """

    def __init__(
        self,
        source_feature_size: int,
        target_feature_size: int,
        future_feature_size: int,
        source_length: int,
        target_length: int,
        encoder: EncoderFactory = RecurrentEncoder,
        pooling: PoolingFactory = FinalStatePooling,
        linear_steps: int = 24,
        input_dropout: float = 0.0,
        dropout: float = 0.0,
        likelihood: Likelihood | None = None,
        offset: Offset | None = None,
        interval: float = 0.9,
        steps: list[int] | None = None,
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        super().__init__(optimizer, scheduler)
        check_shares(self, input_dropout=input_dropout, dropout=dropout)
        if not 0 <= linear_steps <= source_length:
            raise UserError(
                f"linear_steps of EncoderForecaster is {linear_steps}, but {source_length} steps are read: give 0 (no "
                f"linear part) to {source_length}"
            )
        self.save_hyperparameters()
        self.measure(likelihood or SquaredError(), offset or NoOffset(), interval, target_length, steps)
        self.columns, self.linear_steps = target_feature_size, linear_steps
        self.input_dropout, self.dropout = Dropout(input_dropout), Dropout(dropout)
        self.encoder = encoder(source_feature_size)
        self.pooling = pooling(self.encoder.memory_size, self.encoder.state_shape.size)
        size = target_length * target_feature_size * self.likelihood.size
        self.output = Linear(self.pooling.output_size, size)
        linear_size = linear_steps * source_feature_size + target_length * future_feature_size
        self.linear = Linear(linear_size, size, bias=False) if linear_steps else None
        initialise(self, torch.initial_seed())

    def parameters_ahead(self, batch: SeriesBatch) -> tuple[Tensor, Tensor | None]:
        """What is said of the steps to predict; see :meth:`ForecastModule.parameters_ahead`."""
        read = batch.source.values
        memory, state = self.encoder(self.input_dropout(read), batch.source.lengths)
        everywhere = torch.ones(read.shape[:2], dtype=torch.bool, device=read.device)
        parameters = self.output(self.dropout(self.pooling(memory, state, everywhere)))
        if self.linear is not None:
            last = read[:, -self.linear_steps :].flatten(1)
            parameters = parameters + self.linear(torch.cat([last, batch.future.flatten(1)], dim=1))
        shaped = parameters.unflatten(1, (batch.future.shape[1], self.columns, -1))
        if not isinstance(self.pooling, AttentionPooling):
            return shaped, None
        weights = self.pooling.weights(memory, everywhere)
        return shaped, weights[:, None, None].expand(-1, 1, shaped.shape[1], -1)
