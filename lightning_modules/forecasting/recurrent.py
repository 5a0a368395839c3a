"""Forecasts by an encoder and a decoder, step by step."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from datamodules.batch import SeriesBatch
from lightning_modules.encoder_decoder import BridgeFactory, DecoderFactory, EncoderDecoder
from lightning_modules.forcing import Constant, Forcing, ScheduledSampling
from lightning_modules.forecasting.module import ForecastModule
from lightning_modules.kernels.linear import Linear
from lightning_modules.layers.bridge import ProjectionBridge
from lightning_modules.layers.checks import check_sizes
from lightning_modules.layers.decoder import FixedContextDecoder
from lightning_modules.layers.encoder import EncoderFactory, RecurrentEncoder
from lightning_modules.layers.forecasting.head import ForecastHead
from lightning_modules.layers.forecasting.likelihood import Likelihood, SquaredError
from lightning_modules.layers.forecasting.offset import NoOffset, Offset
from lightning_modules.layers.initialisation import initialise
from lightning_modules.metrics import PerTokenLoss, Scale
from lightning_modules.training.module import LRSchedulerCallable, OptimizerCallable

FREE_RUNNING = ScheduledSampling(Constant(0.0))


class RecurrentForecaster(ForecastModule, EncoderDecoder[SeriesBatch]):
    """An encoder over the past, and a decoder that predicts step by step what comes (Salinas et al. 2020, section 3).

    The decoder is fed the step before, the last one that was read at first, beside what is known ahead of the step that
    it predicts: the true step under teacher forcing, else the location of its own prediction, detached. It may attend
    to the past. All that is measured, ``mse`` among it, is of free running; ``loss`` is that after the true history.

    Args:
        source_feature_size: Numbers of a step that is read; linked from the data.
        target_feature_size: Columns to predict; linked from the data.
        future_feature_size: Numbers that are known ahead of a step to predict; linked from the data.
        target_length: Steps to predict; linked from the data.
        encoder: Made of (embedding size).
        decoder: Made of (embedding size, memory size).
        bridge: Made of (encoder state shape, decoder state shape).
        embedding_size: Width of the vectors that encoder and decoder read.
        likelihood: What is said of a number, and trained: ``SquaredError`` if not given.
        offset: What is taken off each window, and given back to its forecast; nothing if not given.
        interval: The probability with which the intervals are to have the truth.
        steps: Steps, counted from 1, whose errors are also logged alone; the first and the last if not given.
        optimizer: Made of (parameters).
        scheduler: Learning-rate schedule made of (optimizer), stepped per update, or as a ``TimedSchedule`` says; none
            for a constant rate.
        forcing: What the decoder is fed in training; the true steps alone (teacher forcing) if not given. Its feedback
            is the location, whatever it says.

    Raises:
        UserError: ``embedding_size`` is below 1, a step is not within the horizon, or there can be no such intervals.
    """

    own_history = "loss_free_running"

    def __init__(
        self,
        source_feature_size: int,
        target_feature_size: int,
        future_feature_size: int,
        target_length: int,
        encoder: EncoderFactory = RecurrentEncoder,
        decoder: DecoderFactory = FixedContextDecoder,
        bridge: BridgeFactory = ProjectionBridge,
        embedding_size: int = 64,
        likelihood: Likelihood | None = None,
        offset: Offset | None = None,
        interval: float = 0.9,
        steps: list[int] | None = None,
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: LRSchedulerCallable | None = None,
        forcing: Forcing | None = None,
    ) -> None:
        super().__init__(optimizer, scheduler, forcing)
        check_sizes(self, embedding_size=embedding_size)
        self.save_hyperparameters()
        self.measure(likelihood or SquaredError(), offset or NoOffset(), interval, target_length, steps)
        self.source_embedding = Linear(source_feature_size, embedding_size)
        self.target_embedding = Linear(2 * target_feature_size + future_feature_size, embedding_size)
        self.connect(encoder, decoder, bridge, embedding_size)
        self.to_embedding = nn.Identity()
        self.output: ForecastHead = ForecastHead(self.decoder.output_size, target_feature_size, self.likelihood)
        initialise(self, torch.initial_seed())
        self._gold_history = {stage: PerTokenLoss() for stage in ("val", "test")}

    def parameters_ahead(self, batch: SeriesBatch) -> tuple[Tensor, Tensor]:
        """What is said of the steps to predict; see :meth:`ForecastModule.parameters_ahead`."""
        hidden, weights, _ = self.forced(batch, FREE_RUNNING, ratio=0.0)
        return self.output.parameters_of(hidden).unflatten(0, (len(batch), -1)), weights

    def trained_on(self, batch: SeriesBatch) -> SeriesBatch:
        """A batch without the offset of each window."""
        return self.shifted(batch)[0]

    def metric_scales(self) -> dict[str, Scale]:
        """The units of the metrics that a validation logs here, for pictures."""
        loss = Scale("loss per number", "lower")
        return super().metric_scales() | {"train/loss": loss, "val/loss": loss, "val/exposure_gap": loss}

    def evaluate(self, batch: SeriesBatch, stage: str) -> None:
        """Adds a batch to the scores of a stage, and to the loss after the true history."""
        super().evaluate(batch, stage)
        if len(batch):
            _, loss, count = self.loss(batch)
            self._gold_history[stage].update(loss, count)

    def log_scores(self, stage: str) -> dict[str, float]:
        """Logs the scores of a stage, its ``loss`` after the true history, and the ``exposure_gap`` between both."""
        scores = super().log_scores(stage)
        loss = self._gold_history[stage].compute().item()
        for name, value in (("loss", loss), ("exposure_gap", scores[self.own_history] - loss)):
            self.log(f"{stage}/{name}", value, sync_dist=True, reduce_fx="max")
        self._gold_history[stage].reset()
        return scores
