"""A series that is made up: a day, a week, noise that lasts, a plan that is known ahead, cells without a value."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from datamodules.errors import UserError
from datamodules.series.calendar import CalendarFeature
from datamodules.series.layout import SeriesLayout
from datamodules.series.module import WindowedSeries
from datamodules.series.splits import SeriesSplit
from datamodules.series.table import SeriesTable, TableForm

COLUMNS = ("load", "heat", "open")
"""What a row has: two that depend on the hour, the second also on the first some hours before; and what is planned."""

_START = datetime(2024, 1, 1)
_STEP = timedelta(hours=1)
_LAG = 6
"""Hours until the first column shows in the second."""


def made_table(rows: int, missing: float, seed: int) -> SeriesTable:
    """Makes the series.

    Args:
        rows: Hours.
        missing: Share of the values of the first two columns that are missing.
        seed: Another seed, another series.
    """
    random = np.random.default_rng(seed)
    hours = np.arange(rows)
    is_open = np.repeat(random.random(rows // 12 + 1) < 0.5, 12)[:rows].astype(np.float64)
    noise = np.zeros((rows, 2))
    for hour in range(1, rows):
        noise[hour] = 0.9 * noise[hour - 1] + 0.3 * random.standard_normal(2)
    week = np.where(hours // 24 % 7 < 5, 1.0, 0.5)
    load = 10.0 + 3.0 * week * np.sin(2 * np.pi * hours / 24) + 2.0 * is_open + noise[:, 0]
    earlier = np.concatenate([np.full(_LAG, load[0]), load])[:rows]
    heat = 50.0 + 4.0 * earlier + 5.0 * noise[:, 1]
    values = np.stack([load, heat, is_open], axis=1)
    values[:, :2][random.random((rows, 2)) < missing] = np.nan
    return SeriesTable(list(COLUMNS), values, _START, _STEP, "the series that is made up")


class MadeSeriesDataModule(WindowedSeries):
    """A made-up series by the hour: ``load`` and ``heat`` are predicted, ``open`` is known ahead. No file is read.

    Load has a day, a week, a plan of half days that is known ahead, and noise that lasts; heat follows 6 hours later. A
    file of such a series, for ``seqlab forecast``, has its times in a column ``time``; an empty cell is missing.

    Args:
        rows: Hours of the whole series.
        missing_share: Share of the values of load and heat that are missing.
        series_seed: Seed of the series: another seed, another series.
        calendar: Cycles that every time has a place in, for past and future steps.
        window: Steps that are read.
        horizon: Steps that are predicted.
        split: Which rows are of which split; 70 % for training and 15 % for validation if not given.
        stride: Steps from one training window to the next; validation and test have every window.
        batch_size: Windows of one training batch, all processes together.
        eval_batch_size: Windows of one batch in validation, test and prediction, all processes together.
        seed: Seed of the order of the training batches.

    Raises:
        UserError: A number is out of range.
    """

    def __init__(
        self,
        rows: int = 4_000,
        missing_share: float = 0.02,
        series_seed: int = 0,
        calendar: list[CalendarFeature] = ["hour", "weekday"],  # noqa: B006 - never changed; shown by --help
        window: int = 48,
        horizon: int = 24,
        split: SeriesSplit | None = None,
        stride: int = 1,
        batch_size: int = 32,
        eval_batch_size: int = 256,
        seed: int = 0,
    ) -> None:
        layout = SeriesLayout(COLUMNS[:2], known=COLUMNS[2:], calendar=calendar)
        form = TableForm(["time"], _STEP, [""])
        super().__init__(layout, form, window, horizon, split, stride, batch_size, eval_batch_size, seed)
        self.save_hyperparameters()
        if not 0.0 <= missing_share < 1.0:
            raise UserError(f"data.init_args.missing_share is {missing_share}: give 0 or more, and less than 1")
        if rows < 1 or series_seed < 0:
            raise UserError(f"data.init_args: rows is {rows}, series_seed {series_seed}: give 1 and 0 at least")
        self._made = rows, missing_share, series_seed

    def read(self) -> SeriesTable:
        """The series, made anew."""
        return made_table(*self._made)
