"""What stands where in the vector of an hour that models read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from datamodules.errors import UserError
from datamodules.series.calendar import CalendarFeature, calendar_values
from datamodules.series.scaling import Scaling
from datamodules.series.table import SeriesTable


@dataclass(frozen=True)
class SeriesLayout:
    """Which columns are predicted, which only read.

    The vector of a row has, in this order: the columns to predict, 1 for each of them that is missing, else 0; the
    covariates, 1 for each that is missing; what is known ahead; the calendar. A missing value is 0 there, the mean.

    Attributes:
        columns: What is predicted.
        covariates: What is read of the past.
        known: What is also known of the steps to predict.
        calendar: Cycles of the calendar, known of every time.
    """

    columns: Sequence[str]
    covariates: Sequence[str] = ()
    known: Sequence[str] = ()
    calendar: Sequence[CalendarFeature] = ()

    @property
    def names(self) -> list[str]:
        """The columns of the table, in order."""
        return [*self.columns, *self.covariates, *self.known]

    @property
    def future_size(self) -> int:
        """Numbers of a row that are known ahead."""
        return len(self.known) + 2 * len(self.calendar)

    @property
    def size(self) -> int:
        """Numbers of a row."""
        return 2 * len(self.columns) + 2 * len(self.covariates) + self.future_size

    def check(self) -> None:
        """Refuses columns that cannot be meant.

        Raises:
            UserError: There is none to predict, or one is named twice.
        """
        if not self.columns:
            raise UserError("data.init_args.columns is empty: name at least one column that is to be predicted")
        names = self.names
        if twice := [name for name in names if names.count(name) > 1]:
            raise UserError(
                f"the column '{twice[0]}' is named twice in columns, covariates and known of data.init_args: a column "
                "that is predicted is read, too"
            )

    def check_known(self, table: SeriesTable) -> None:
        """Refuses rows in which something that should be known ahead is missing.

        Raises:
            UserError: Names the first.
        """
        missing = np.isnan(table.columns(self.known))
        if missing.any():
            row, column = (int(part[0]) for part in missing.nonzero())
            raise UserError(
                f"{table.place}: {self.known[column]} is missing at {table.time(row)}, but data.init_args.known says "
                "that it is known ahead: fill it in, or name it in covariates"
            )

    def vectors(self, table: SeriesTable, scaling: Scaling) -> np.ndarray:
        """The vectors of all rows.

        Args:
            table: With all columns, in the order of :attr:`names`.
            scaling: Of the same columns.

        Returns:
            ``(rows, size)``, float32.
        """
        values = scaling.standardised(table.values)
        missing = np.isnan(values)
        numbers = np.where(missing, 0.0, values)
        first, second = len(self.columns), len(self.columns) + len(self.covariates)
        parts = [
            *(
                part
                for part_of in (slice(first), slice(first, second))
                for part in (numbers[:, part_of], missing[:, part_of])
            ),
            numbers[:, second:],
            calendar_values(self.calendar, table.start, table.step, 0, len(table)),
        ]
        return np.concatenate(parts, axis=1, dtype=np.float32)
