"""What all models have in common that forecast: an offset, a likelihood, and how they are measured."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from datamodules.batch import SeriesBatch
from datamodules.errors import UserError
from lightning_modules.forecasting.scores import ForecastScores
from lightning_modules.layers.forecasting.likelihood import Likelihood
from lightning_modules.layers.forecasting.offset import Offset
from lightning_modules.metrics import Scale
from lightning_modules.training.step_loss import StepLossModule


class Forecast(NamedTuple):
    """What is said of the steps to predict, standardised.

    Attributes:
        location: ``(batch, h, c)``, the point forecast.
        lower: Likewise, the lower end of the interval; None where there is none.
        upper: Likewise, the upper end.
        weights: ``(batch, h, w)``, the attention to the steps that were read, the mean over its heads; None where there
            is none.
    """

    location: Tensor
    lower: Tensor | None
    upper: Tensor | None
    weights: Tensor | None


class ForecastModule(StepLossModule):
    """A model of a series that predicts the next steps; a subclass says how.

    Letters: w steps that are read, h steps to predict, c columns, p parameters of a number.

    Attributes:
        likelihood: What is said of a number.
        offset: What is taken off each window, and given back to its forecast.
        interval: The probability of the intervals.
        own_history: What the loss is called of forecasts that nothing but the past went into.
    """

    likelihood: Likelihood
    offset: Offset
    interval: float
    own_history = "loss"

    def measure(
        self, likelihood: Likelihood, offset: Offset, interval: float, horizon: int, steps: Sequence[int] | None
    ) -> None:
        """Keeps the parts that all models have, and makes the scores.

        Args:
            likelihood: What is said of a number.
            offset: What is taken off each window.
            interval: The probability of the intervals.
            horizon: Steps to predict.
            steps: Steps, counted from 1, whose errors are also logged alone; the first and the last if not given.

        Raises:
            UserError: A step is not within the horizon, or there can be no such intervals.
        """
        likelihood.check_level(interval)
        chosen = sorted({1, horizon} if steps is None else set(steps))
        if wrong := [step for step in chosen if not 1 <= step <= horizon]:
            raise UserError(
                f"model.init_args.steps has {wrong[0]}, but 1 to {horizon} are predicted: give one of these"
            )
        self.likelihood, self.offset, self.interval = likelihood, offset, interval
        self._scores = {stage: ForecastScores(likelihood, interval, horizon, chosen) for stage in ("val", "test")}

    @abstractmethod
    def parameters_ahead(self, batch: SeriesBatch) -> tuple[Tensor, Tensor | None]:
        """What is said of the steps to predict, from the past and what is known ahead alone, the offset taken off.

        Args:
            batch: From :meth:`SeriesBatch.shifted`; what came then is not looked at.

        Returns:
            ``(batch, h, c, p)``; and the attention ``(batch, heads, h, w)``, None where there is none.
        """

    def shifted(self, batch: SeriesBatch) -> tuple[SeriesBatch, Tensor]:
        """A batch whose offset was taken off, and the offset ``(batch, 1, c)``."""
        offset = self.offset.of(batch.past, batch.past_known)
        return batch.shifted(offset), offset

    def distribution(self, batch: SeriesBatch) -> tuple[Tensor, Tensor | None]:
        """What is said of the steps to predict; see :meth:`parameters_ahead`, with the offset given back."""
        shifted, offset = self.shifted(batch)
        parameters, weights = self.parameters_ahead(shifted)
        location = parameters[..., :1] + offset[..., None]
        return torch.cat([location, parameters[..., 1:]], dim=-1), weights

    def forecast(self, batch: SeriesBatch) -> Forecast:
        """Point forecast, interval and attention for each window of a batch."""
        parameters, weights = self.distribution(batch)
        lower, upper = self.likelihood.interval(parameters, self.interval) or (None, None)
        attended = weights.mean(dim=1) if weights is not None and weights.shape[1] else None
        return Forecast(self.likelihood.location(parameters), lower, upper, attended)

    def logged_metrics(self) -> set[str]:
        """The metrics that a training logs here; a subclass adds its own."""
        return super().logged_metrics() | {"train/loss"} | set(self.metric_scales())

    def metric_scales(self) -> dict[str, Scale]:
        """The units of the metrics that a validation logs here, for pictures."""
        return {f"val/{self._named(name)}": scale for name, scale in self._scores["val"].names().items()}

    def validation_step(self, batch: SeriesBatch, batch_idx: int) -> None:
        """Adds a batch to the scores."""
        self.evaluate(batch, "val")

    def test_step(self, batch: SeriesBatch, batch_idx: int) -> None:
        """Adds a batch to the scores."""
        self.evaluate(batch, "test")

    def predict_step(self, batch: SeriesBatch, batch_idx: int) -> Forecast | None:
        """The forecasts of a batch; None of an empty one."""
        return self.forecast(batch) if len(batch) else None

    def on_validation_epoch_end(self) -> None:
        """Logs the scores, as ``val/mse`` and so on."""
        self.log_scores("val")

    def on_test_epoch_end(self) -> None:
        """Logs the scores, as ``test/mse`` and so on."""
        self.log_scores("test")

    def evaluate(self, batch: SeriesBatch, stage: str) -> None:
        """Adds a batch to the scores of a stage."""
        if len(batch):
            loss = self._scores[stage].update(self.distribution(batch)[0], batch.gold, batch.gold_known)
            self.check_evaluation(loss, batch.index)

    def log_scores(self, stage: str) -> dict[str, float]:
        """Logs the scores of a stage and forgets them.

        Returns:
            The scores by name.
        """
        scores = {self._named(name): value for name, value in self._scores[stage].compute().items()}
        for name, value in scores.items():
            # Every rank has the same mean: its maximum over the ranks is that mean to the last bit.
            self.log(f"{stage}/{name}", value, prog_bar=name == "mse", sync_dist=True, reduce_fx="max")
        self._scores[stage].reset()
        return scores

    def _named(self, score: str) -> str:
        return self.own_history if score == "loss" else score
