"""Splits of a series: one after the other in time, so that no model is measured on what came before it learnt."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime

from datamodules.batch import Split
from datamodules.errors import UserError
from datamodules.series.table import SeriesTable


class SeriesSplit(ABC):
    """What every way to split offers."""

    @abstractmethod
    def rows(self, table: SeriesTable) -> dict[Split, range]:
        """The rows of each split.

        Args:
            table: The whole series.

        Raises:
            UserError: There are too few.
        """


class CountSplit(SeriesSplit):
    """So many rows for each split, from the first on; what is left over is not used.

    Args:
        train: Rows of the training split.
        val: Rows of the validation split.
        test: Rows of the test split.

    Raises:
        UserError: A number is below 1.
    """

    def __init__(self, train: int, val: int, test: int) -> None:
        self.train, self.val, self.test = train, val, test
        for name, count in vars(self).items():
            if count < 1:
                raise UserError(f"data.init_args.split.init_args.{name} is {count}: give at least 1 row")

    def rows(self, table: SeriesTable) -> dict[Split, range]:
        """The rows of each split; see :meth:`SeriesSplit.rows`."""
        ends = self.train, self.train + self.val, self.train + self.val + self.test
        if ends[2] > len(table):
            raise UserError(
                f"{table.place} has {len(table):,} rows, but data.init_args.split asks for {ends[2]:,}: lower its "
                "numbers, or take ShareSplit"
            )
        return {"train": range(ends[0]), "val": range(ends[0], ends[1]), "test": range(ends[1], ends[2])}


class ShareSplit(SeriesSplit):
    """A share of all rows for training, another for validation, the rest for the test.

    Args:
        train: Share of the training split.
        val: Share of the validation split.

    Raises:
        UserError: A share is not above 0, or nothing is left for the test.
    """

    def __init__(self, train: float = 0.7, val: float = 0.15) -> None:
        self.train, self.val = train, val
        if train <= 0 or val <= 0 or train + val >= 1:
            raise UserError(
                f"data.init_args.split: shares of {train} and {val}: give numbers above 0 that sum to less than 1"
            )

    def rows(self, table: SeriesTable) -> dict[Split, range]:
        """The rows of each split; see :meth:`SeriesSplit.rows`."""
        first, second = round(self.train * len(table)), round((self.train + self.val) * len(table))
        return {"train": range(first), "val": range(first, second), "test": range(second, len(table))}


class DateSplit(SeriesSplit):
    """The training split ends where validation begins, and that where the test begins.

    Args:
        val: Time at which validation begins, in the form of ISO 8601.
        test: Time at which the test begins; the same as ``val`` where there is no third split: then both have the same
            rows, and what is chosen on one is not new to the other.
        end: Time at which the test ends; the end of the table if not given.

    Raises:
        UserError: One is no time, or they are out of order.
    """

    def __init__(self, val: str, test: str, end: str | None = None) -> None:
        self.val, self.test, self.end = val, test, end
        times = [_time(name, given).replace(tzinfo=None) for name, given in vars(self).items() if given is not None]
        if times[1] < times[0] or times[-1] < times[1]:
            raise UserError(f"data.init_args.split: {val}, {test}, {end or 'the end'} are out of order")

    def rows(self, table: SeriesTable) -> dict[Split, range]:
        """The rows of each split; see :meth:`SeriesSplit.rows`."""
        val, test = (table.row(_time(name, getattr(self, name))) for name in ("val", "test"))
        end = len(table) if self.end is None else table.row(_time("end", self.end))
        for name, row in (("val", val), ("test", test), ("end", end - 1)):
            if not 0 < row < len(table):
                raise UserError(
                    f"data.init_args.split.init_args.{name} is {getattr(self, name)}, but {table.place} goes from "
                    f"{table.start} to {table.time(len(table) - 1)}: give a time in between"
                )
        return {"train": range(val), "val": range(val, test if test > val else end), "test": range(test, end)}


def _time(name: str, given: str) -> datetime:
    try:
        return datetime.fromisoformat(given)
    except ValueError as error:
        raise UserError(
            f"data.init_args.split.init_args.{name} is '{given}', which is no time: give YYYY-MM-DD"
        ) from error
