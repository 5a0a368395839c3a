"""Series of numbers over time, cut into windows: what is read, and what is to be predicted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

import lightning as L
import numpy as np
from torch.utils.data import DataLoader

from datamodules.batch import SeriesBatch, Split
from datamodules.errors import UserError
from datamodules.plan import planned_loader
from datamodules.series.ahead import SeriesFormat
from datamodules.series.calendar import CalendarFeature
from datamodules.series.layout import SeriesLayout
from datamodules.series.scaling import Scaling
from datamodules.series.splits import SeriesSplit, ShareSplit
from datamodules.series.table import SeriesTable, TableForm, read_table
from datamodules.series.times import step_of, time_zone_of
from datamodules.series.windows import Windows

SPLITS: tuple[Split, ...] = ("train", "val", "test")

SERIES = "series"
"""The key of the series's format in the data module's state."""


class WindowedSeries(L.LightningDataModule, ABC):
    """Windows over a series; a subclass says what series.

    Columns are standardised with mean and standard deviation of the training rows. A missing value is marked as such
    and counts in no loss. The constructor reads nothing.

    Args:
        layout: Which columns are predicted, which only read.
        form: How a file of such a series is written.
        window: Steps that are read.
        horizon: Steps that are predicted.
        split: Which rows are of which split.
        stride: Steps from one training window to the next; validation and test have every window.
        batch_size: Windows of one training batch, all processes together.
        eval_batch_size: Windows of one batch in validation, test and prediction, all processes together.
        seed: Seed of the order of the training batches.

    Raises:
        UserError: A number is below 1, or the columns cannot be meant.

    Attributes:
        layout: Which columns are predicted, which only read.
    """

    def __init__(
        self,
        layout: SeriesLayout,
        form: TableForm,
        window: int,
        horizon: int,
        split: SeriesSplit | None,
        stride: int,
        batch_size: int,
        eval_batch_size: int,
        seed: int,
    ) -> None:
        super().__init__()
        sizes = {
            "window": window,
            "horizon": horizon,
            "stride": stride,
            "batch_size": batch_size,
            "eval_batch_size": eval_batch_size,
        }
        for name, value in sizes.items():
            if value < 1:
                raise UserError(f"data.init_args.{name} is {value}: give at least 1")
        layout.check()
        self.layout, self.form = layout, form
        self._window, self._horizon, self._stride = window, horizon, stride
        self._split = split or ShareSplit()
        self._batch_size, self._eval_batch_size = batch_size, eval_batch_size
        self._seed = seed
        self._saved: Scaling | None = None
        self._windows: dict[Split, Windows] = {}

    @abstractmethod
    def read(self) -> SeriesTable:
        """The whole series, with the columns of the layout in its order."""

    @property
    def source_feature_size(self) -> int:
        """Numbers of a step that is read."""
        return self.layout.size

    @property
    def target_feature_size(self) -> int:
        """Columns that are predicted."""
        return len(self.layout.columns)

    @property
    def future_feature_size(self) -> int:
        """Numbers of a step to predict that are known ahead."""
        return self.layout.future_size

    @property
    def source_length(self) -> int:
        """Steps that are read."""
        return self._window

    @property
    def target_length(self) -> int:
        """Steps that are predicted."""
        return self._horizon

    @cached_property
    def table(self) -> SeriesTable:
        """The whole series, read when asked for first."""
        table = self.read()
        self.layout.check_known(table)
        return table

    @cached_property
    def rows(self) -> dict[Split, range]:
        """The rows of each split."""
        return self._split.rows(self.table)

    @cached_property
    def scaling(self) -> Scaling:
        """Mean and deviation: those of a checkpoint that was restored, else those of the training rows."""
        return self._saved or Scaling.of(self.table, self.rows["train"])

    @cached_property
    def _vectors(self) -> np.ndarray:
        return self.layout.vectors(self.table, self.scaling)

    def windows(self, split: Split) -> Windows:
        """The windows of a split.

        Raises:
            UserError: There is none.
        """
        if split not in self._windows:
            stride = self._stride if split == "train" else 1
            windows = Windows(self._vectors, self.layout, self.rows[split], self._window, self._horizon, stride)
            if not len(windows):
                raise UserError(
                    f"{self.table.place}: the {len(self.rows[split]):,} rows of the {split} split are too few, or miss "
                    f"too much, for a window of {self._window} and a horizon of {self._horizon}: lower these, or "
                    "change data.init_args.split"
                )
            self._windows[split] = windows
        return self._windows[split]

    def fingerprints(self) -> dict[str, str]:
        """The hash (hex) of each split's content, for the record of a run."""
        return {split: self.windows(split).content() for split in SPLITS}

    def time(self, split: Split, index: int, step: int = 0) -> datetime:
        """The time of a step to predict, counted from 0, of a window."""
        return self.table.time(int(self.windows(split).starts[index]) + self._window + step)

    def place(self, split: Split, index: Sequence[int]) -> str:
        """Words where windows stand, for messages."""
        first, last = (self.time(split, each) for each in (min(index), max(index)))
        return f"the {len(index)} windows of {self.table.place} whose forecasts begin from {first} to {last}"

    def state_dict(self) -> dict[str, Any]:
        """How the series is written, and mean and deviation of its columns, in which the weights have their meaning."""
        return {SERIES: SeriesFormat(self.layout, self.form, self.scaling, self._window, self._horizon).state()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes mean and deviation of a checkpoint in place of the table's own.

        Raises:
            UserError: They are of other columns.
        """
        scaling = SeriesFormat.of_state(state_dict[SERIES]).scaling
        if scaling.names != self.layout.names:
            raise UserError(
                f"the checkpoint was trained on the columns {', '.join(scaling.names)}, but data.init_args has "
                f"{', '.join(self.layout.names)}: name the same"
            )
        self._saved = scaling
        for made in ("scaling", "_vectors"):
            self.__dict__.pop(made, None)
        self._windows.clear()

    def train_dataloader(self) -> DataLoader[SeriesBatch]:
        """Batches of the training windows, in a new order each epoch."""
        return self._loader("train", self._batch_size)

    def val_dataloader(self) -> DataLoader[SeriesBatch]:
        """Batches of the validation windows."""
        return self._loader("val", self._eval_batch_size)

    def test_dataloader(self) -> DataLoader[SeriesBatch]:
        """Batches of the test windows."""
        return self._loader("test", self._eval_batch_size)

    def predict_dataloader(self) -> DataLoader[SeriesBatch]:
        """Batches of the test windows; each one's index is its place in the split."""
        return self.test_dataloader()

    def _loader(self, split: Split, batch_size: int) -> DataLoader[SeriesBatch]:
        windows = self.windows(split)
        return planned_loader(
            windows,
            np.full((len(windows), 1), self._window),
            batch_size,
            shuffle=split == "train",
            seed=self._seed,
            trainer=self.trainer,
            overfits=split != "test",
        )


class SeriesDataModule(WindowedSeries):
    """A series from a CSV file with a header: any columns, at any regular frequency; .gz, .bz2, .xz and .zst too.

    Args:
        file: The file, one row for each step in time, sorted; looked for in the working directory, then in
            ``$SEQLAB_DATA``, else in ``data/``.
        time: The column of the times (ISO 8601); or several, of year, month, day and perhaps hour, minute, second.
        columns: The columns that are predicted.
        covariates: Columns that are read, and known of the past alone.
        known: Columns that are also known of the steps to predict, such as holidays or prices; none may be missing.
        calendar: Cycles that every time has a place in, for past and future steps.
        frequency: Time from one row to the next: a number and s, min, h, d or w.
        time_zone: Where the clocks are that show the times, as ``Europe/Berlin`` (IANA): an hour that comes twice when
            they are put back, or is left out when they are put forward, is neither too much nor missing. Times with an
            offset (``+01:00``) are shown by these clocks, which the calendar goes by. If not given, times are taken as
            they are.
        window: Steps that are read.
        horizon: Steps that are predicted.
        split: Which rows are of which split: ``CountSplit``, ``ShareSplit`` or ``DateSplit``; 70 % for training and
            15 % for validation if not given.
        missing: What stands in a cell without a value.
        delimiter: What stands between the cells.
        stride: Steps from one training window to the next; validation and test have every window.
        batch_size: Windows of one training batch, all processes together.
        eval_batch_size: Windows of one batch in validation, test and prediction, all processes together.
        seed: Seed of the order of the training batches.

    Raises:
        UserError: A number is below 1, frequency or time zone is none, or the columns cannot be meant.
    """

    def __init__(
        self,
        file: str,
        time: list[str],
        columns: list[str],
        covariates: list[str] = [],  # noqa: B006 - never changed; shown by --help
        known: list[str] = [],  # noqa: B006 - likewise
        calendar: list[CalendarFeature] = [],  # noqa: B006 - likewise
        frequency: str = "1h",
        time_zone: str | None = None,
        window: int = 96,
        horizon: int = 24,
        split: SeriesSplit | None = None,
        missing: list[str] = ["", "NA", "NaN", "nan"],  # noqa: B006 - likewise
        delimiter: str = ",",
        stride: int = 1,
        batch_size: int = 32,
        eval_batch_size: int = 256,
        seed: int = 0,
    ) -> None:
        layout = SeriesLayout(columns, covariates, known, calendar)
        form = TableForm(time, step_of(frequency), missing, delimiter, time_zone)
        super().__init__(layout, form, window, horizon, split, stride, batch_size, eval_batch_size, seed)
        self.save_hyperparameters()
        if len(delimiter) != 1 or delimiter in '"\r\n':
            raise UserError(f"data.init_args.delimiter is {delimiter!r}: give one character, and no quote")
        if time_zone is not None:
            time_zone_of(time_zone)
        if not time:
            raise UserError("data.init_args.time is empty: name the column of the times")
        self._file = file

    def read(self) -> SeriesTable:
        """The whole series; see :func:`datamodules.series.table.read_table`."""
        return read_table(self._file, self.layout.names, self.form)
