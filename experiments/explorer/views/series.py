"""Forecasts of a series over what came, and what they looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from datamodules.errors import UserError
from datamodules.series.ahead import SeriesFormat
from datamodules.series.table import SeriesTable, read_table
from datamodules.series.windows import window_batch
from experiments.explorer.numbers import numbers
from lightning_modules.forecasting.module import ForecastModule


@dataclass(frozen=True)
class SeriesView:
    """Looks at the windows of one series.

    Attributes:
        model: Forecasts.
        series: How the series is written.
        table: The series.
    """

    model: ForecastModule
    series: SeriesFormat
    table: SeriesTable

    @classmethod
    def of_file(cls, model: ForecastModule, series: SeriesFormat, file: str) -> SeriesView:
        """Reads the series.

        Raises:
            UserError: The file cannot be read, or has too few rows for a window and what came then.
        """
        table = read_table(file, series.layout.names, series.form)
        least = series.window + series.horizon
        if len(table) < least:
            raise UserError(f"{table.place} has {len(table)} rows, but a window and what came then are {least}")
        series.layout.check_known(table)
        return cls(model, series, table)

    @property
    def bounds(self) -> tuple[int, int]:
        """The first and the last row that a forecast may begin with."""
        return self.series.window, len(self.table) - self.series.horizon

    @torch.inference_mode()
    def look(self, row: int) -> dict[str, Any]:
        """Forecasts from a row on.

        Args:
            row: The first that is predicted.

        Returns:
            ``columns``, each with ``name``, ``past``, ``truth``, ``forecast``, ``lower`` and ``upper``, in the data's
            units, None where there is none; ``times`` of all rows; and ``weights``, the attention of each step to each
            row that was read, None without.

        Raises:
            UserError: The row is out of bounds.
        """
        low, high = self.bounds
        if not low <= row <= high:
            raise UserError(f"row is {row}: give {low} to {high}")
        layout, horizon = self.series.layout, self.series.horizon
        rows = slice(row - self.series.window, row + horizon)
        vectors = torch.from_numpy(layout.vectors(self.table, self.series.scaling)[rows])[None]
        sizes = self.series.window, len(layout.columns), layout.size - layout.future_size
        batch = window_batch(vectors, *sizes, torch.zeros(1, dtype=torch.long)).to(self.model.device)
        forecast = self.model.forecast(batch)
        parts = [None if part is None else self._restored(part) for part in forecast[:3]]
        values = self.table.columns(layout.columns)[rows]
        return {
            "row": row,
            "times": [str(self.table.time(place)) for place in range(rows.start, rows.stop)],
            "columns": [self._column(name, values[:, at], at, parts) for at, name in enumerate(layout.columns)],
            "interval": self.model.interval,
            "weights": None if forecast.weights is None else numbers(forecast.weights[0]),
        }

    def _restored(self, part: torch.Tensor) -> np.ndarray:
        return self.series.scaling.restored(part[0].double().cpu().numpy())

    def _column(self, name: str, values: np.ndarray, at: int, parts: list[np.ndarray | None]) -> dict[str, Any]:
        location, lower, upper = (None if part is None else numbers(part[:, at], 6) for part in parts)
        window = self.series.window
        return {
            "name": name,
            "past": numbers(values[:window], 6),
            "truth": numbers(values[window:], 6),
            "forecast": location,
            "lower": lower,
            "upper": upper,
        }
