"""A checkpoint of a model that forecasts, made ready to: model and format of the series, without config or data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datamodules.errors import UserError
from datamodules.series.ahead import SeriesFormat
from datamodules.series.module import SERIES
from experiments.checkpoints.loading import choose_device
from experiments.checkpoints.reading import read_checkpoint
from experiments.checkpoints.trained_model import trained_model
from experiments.config.class_paths import DATA_HYPERPARAMETERS
from lightning_modules.forecasting.module import ForecastModule


def load_forecaster(path: Path, trusted: list[str], device: str = "auto") -> tuple[ForecastModule, SeriesFormat]:
    """A model that forecasts, and how its series is written, of a checkpoint alone.

    Args:
        path: The checkpoint.
        trusted: Packages whose classes the checkpoint may name, besides the project's own.
        device: A device of torch, or ``auto``: CUDA where there is one, else the CPU.

    Raises:
        UserError: It cannot be read, or is of a model that does not forecast.
    """
    chosen = choose_device(device)
    checkpoint = read_checkpoint(path, trusted, unused=[DATA_HYPERPARAMETERS])
    otherwise = "which does not forecast: give one of DirectForecaster, EncoderForecaster or RecurrentForecaster"
    model = trained_model(checkpoint, path, ForecastModule, otherwise)  # type: ignore[type-abstract]  # only a bound
    try:
        series = SeriesFormat.of_state(_saved_series(checkpoint))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    return model.to(chosen).eval(), series


def _saved_series(checkpoint: Mapping[str, Any]) -> Mapping[str, Any]:
    """The format of the series, which Lightning keeps under the name of the data module's class."""
    states = (value[SERIES] for value in checkpoint.values() if isinstance(value, Mapping) and SERIES in value)
    return next(states, {})
