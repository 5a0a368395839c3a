"""A table of a series: one row for each step in time, numbers in columns, some of them missing."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from datamodules.corpora.corpus import find_file, read_lines
from datamodules.errors import UserError, suggest
from datamodules.series.times import between, following, possible_times, read_time, steps_after, time_zone_of


@dataclass(frozen=True)
class TableForm:
    """How a CSV file of a series is written.

    Attributes:
        time: The column of the times, or those of year, month, day and so on.
        step: The time from one row to the next.
        missing: What stands in a cell without a value.
        delimiter: What stands between the cells.
        time_zone: Where the clocks are that show the times, as the IANA names it; None takes the times as they are.
    """

    time: Sequence[str]
    step: timedelta
    missing: Sequence[str]
    delimiter: str = ","
    time_zone: str | None = None


@dataclass(frozen=True)
class SeriesTable:
    """Numbers at regular times.

    Attributes:
        names: Names of the columns.
        values: ``(rows, columns)``, float64; NaN where a value is missing.
        start: Time of the first row.
        step: The time from one row to the next.
        place: Where they come from, for messages.
    """

    names: Sequence[str]
    values: np.ndarray
    start: datetime
    step: timedelta
    place: str

    def __len__(self) -> int:
        return len(self.values)

    def time(self, row: int) -> datetime:
        """The time of a row, also of one after the end."""
        return steps_after(self.start, self.step, row)

    def row(self, time: datetime) -> int:
        """The first row at or after a time, as :meth:`steps_to` takes it; one before the start is below 0."""
        return math.ceil(self.steps_to(time))

    def steps_to(self, time: datetime) -> float:
        """Steps from the first row to a time: a whole number where a row has that time, or would have it.

        Args:
            time: Without a zone it is taken in the table's; where the table has none, a zone is not looked at.
        """
        if time.tzinfo is None or self.start.tzinfo is None:
            time = time.replace(tzinfo=self.start.tzinfo)
        elif isinstance(self.start.tzinfo, ZoneInfo):
            time = time.astimezone(self.start.tzinfo)
        return between(self.start, time, self.step) / self.step

    def columns(self, names: Sequence[str]) -> np.ndarray:
        """Some of the columns, ``(rows, len(names))``."""
        return self.values[:, [self.names.index(name) for name in names]]


def read_table(file: str, names: Sequence[str], form: TableForm) -> SeriesTable:
    """Reads the columns of a CSV file with a header; .gz, .bz2, .xz and .zst too.

    Args:
        file: Looked for in the working directory, then in ``$SEQLAB_DATA``, else in ``data/``.
        names: The columns that are read.
        form: How it is written.

    Raises:
        UserError: The file is missing, empty or broken, a column is missing, a cell is no number, or the times are not
            regular. The message has file and line.
    """
    path = find_file(file)
    zone = None if form.time_zone is None else time_zone_of(form.time_zone)
    first: list[datetime] = []
    times: list[datetime] = []
    rows: list[list[float]] = []
    for number, cells in _rows(path, [*form.time, *names], form.delimiter):
        place = f"{path}, line {number}"
        possible = possible_times(read_time(cells[: len(form.time)], place), zone, form.step, place)
        times = following(times, possible, form.step, place) if rows else possible
        first = first or times
        values = zip(names, cells[len(form.time) :], strict=True)
        rows.append([_number(cell, form.missing, f"{place}, column {name}") for name, cell in values])
    if not rows:
        raise UserError(f"{path} has no rows below its header: give a file with a row for each step in time")
    start = first[0] if len(first) == 1 else steps_after(times[0], form.step, 1 - len(rows))  # the later rows tell
    return SeriesTable(list(names), np.array(rows), start, form.step, str(path))


def _rows(path: Path, names: Sequence[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The line number and the cells of some columns, row by row; lines without anything in any cell are none."""
    reader = csv.reader((f"{line}\n" for line in read_lines(path)), delimiter=delimiter, strict=True)
    header: list[str] = []
    positions: list[int] = []
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise UserError(f"{path}, line {number}: {error}; a quote has to be closed") from error
        if not any(cell.strip() for cell in cells):
            continue
        if not header:
            header = [cell.strip() for cell in cells]
            positions = [_position(name, header, path) for name in names]
        elif len(cells) != len(header):
            raise UserError(f"{path}, line {number}: it has {len(cells)} cells, but the header {len(header)}")
        else:
            yield number, [cells[position] for position in positions]


def _position(name: str, header: Sequence[str], path: Path) -> int:
    if header.count(name) != 1:
        told = "which the header has twice" if name in header else f"which is no column: {suggest(name, header)}"
        raise UserError(f"{path}: a column is to be '{name}', {told}")
    return header.index(name)


def _number(cell: str, missing: Sequence[str], place: str) -> float:
    """The number in a cell; NaN where it is missing."""
    cell = cell.strip()
    if cell in missing:
        return math.nan
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UserError(
            f"{place}: '{cell}' is no number: correct it, or name it in data.init_args.missing where it means that "
            "there is none"
        )
    return number
