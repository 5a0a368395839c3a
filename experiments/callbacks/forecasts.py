"""Forecasts of a trained model, or of one in training: as a table on disk, and drawn over what came."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import lightning as L
import numpy as np
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from datamodules.batch import SeriesBatch
from datamodules.errors import UserError
from datamodules.series.module import WindowedSeries
from experiments.callbacks.prediction_writers import write_predictions
from experiments.callbacks.text import gathered
from experiments.callbacks.watched_sentences import watched_sentences
from experiments.figures.forecast import ForecastCurves, forecast_figure
from experiments.loggers.media import log_figure
from lightning_modules.forecasting.module import Forecast, ForecastModule

COLUMNS = ("time", "column", "step", "truth", "forecast", "lower", "upper")


class ForecastWriter(L.Callback):
    """Writes ``predictions.tsv`` into the run's directory: forecasts for the test rows, in the data's units.

    Each line is a column at one step of one window. A missing truth, and the ends of an interval where a point is all
    there is, are empty.

    Args:
        every: Only one of so many windows; as many as there are steps to predict if not given, so that each time comes
            once.

    Raises:
        UserError: ``every`` is below 1.
    """

    def __init__(self, every: int | None = None) -> None:
        if every is not None and every < 1:
            raise UserError(f"every of ForecastWriter is {every}: give at least 1")
        self.every = every
        self._forecasts: dict[int, np.ndarray] = {}

    def on_predict_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Forecast | None,
        batch: SeriesBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keeps truth, forecast and ends of each chosen window, ``(4, h, c)``."""
        series = series_of(trainer)
        if outputs is None:
            return
        every = self.every or series.target_length
        kept = stacked(outputs, batch)
        for index, values in zip(batch.index.tolist(), kept, strict=True):
            if index % every == 0:
                self._forecasts[index] = series.scaling.restored(values)

    def on_predict_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Writes the table.

        Raises:
            RunFailed: The file cannot be written, for example on a full disk.
        """
        forecasts = gathered(self._forecasts)
        self._forecasts = {}
        if trainer.is_global_zero:
            write_predictions(trainer, [COLUMNS, *_rows(series_of(trainer), forecasts)])


class ForecastFigures(L.Callback):
    """Draws forecasts over what came, in the same validation windows at each validation of a training.

    Below them is what the model attended to in the past, where it has an attention. The figures are in ``figures/`` in
    the run's directory, ``val-forecast_1-step000123.png`` and so on, and in the loggers that show pictures, as
    ``val/forecast_1``.

    Args:
        windows: How many, spread over the validation rows.
        columns: Columns that are drawn, the first ones.
    """

    def __init__(self, windows: int = 2, columns: int = 3) -> None:
        self.windows = windows
        self.columns = columns

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draws the figures, on rank zero.

        Raises:
            RunFailed: A file cannot be written, for example on a full disk.
        """
        if trainer.sanity_checking or trainer.state.fn != TrainerFn.FITTING or not trainer.is_global_zero:
            return
        series, model = series_of(trainer), cast(ForecastModule, pl_module)
        windows = series.windows("val")
        watched = watched_sentences(self.windows, len(windows))
        batch = windows[watched].to(model.device)
        forecast = model.forecast(batch)
        for number, index in enumerate(watched):
            curves = list(_curves(series, batch, forecast, number))[: self.columns]
            weights = None if forecast.weights is None else _numbers(forecast.weights[number])
            title = f"step {trainer.global_step:,}: {series.time('val', index)} and after"
            figure = forecast_figure(curves, weights, model.interval, title)
            log_figure(trainer, f"val/forecast_{number + 1}", figure, trainer.global_step)


def series_of(trainer: L.Trainer) -> WindowedSeries:
    """The data of a training that forecasts.

    Raises:
        UserError: They are no series.
    """
    data = trainer.datamodule  # type: ignore[attr-defined]  # the Trainer sets it
    if not isinstance(data, WindowedSeries):
        raise UserError(
            f"{type(data).__name__} has no series to forecast: leave ForecastWriter and ForecastFigures out of "
            "trainer.callbacks"
        )
    return data


def stacked(forecast: Forecast, batch: SeriesBatch) -> np.ndarray:
    """Truth, forecast, lower and upper end, standardised, ``(batch, 4, h, c)``; NaN where there is none."""
    location = _numbers(forecast.location)
    ends = [np.full_like(location, np.nan) if end is None else _numbers(end) for end in forecast[1:3]]
    truth = np.where(_numbers(batch.gold_known) > 0, _numbers(batch.gold), np.nan)
    return np.stack([truth, location, *ends], axis=1)


def _rows(series: WindowedSeries, forecasts: dict[int, np.ndarray]) -> Iterator[tuple[str, ...]]:
    for index, values in forecasts.items():
        for step in range(values.shape[1]):
            time = str(series.time("test", index, step))
            for column, name in enumerate(series.layout.columns):
                numbers = values[:, step, column]
                cells = ("" if np.isnan(number) else f"{number:.6g}" for number in numbers)
                yield time, name, str(step + 1), *cells


def _curves(series: WindowedSeries, batch: SeriesBatch, forecast: Forecast, window: int) -> Iterator[ForecastCurves]:
    past = np.where(_numbers(batch.past_known) > 0, _numbers(batch.past), np.nan)[window]
    past = series.scaling.restored(past)
    values = series.scaling.restored(stacked(forecast, batch)[window])
    for column, name in enumerate(series.layout.columns):
        truth, location, lower, upper = values[..., column]
        ends = (None, None) if forecast.lower is None else (lower, upper)
        yield ForecastCurves(name, past[:, column], truth, location, *ends)


def _numbers(values: Tensor) -> np.ndarray:
    return values.detach().double().cpu().numpy()
