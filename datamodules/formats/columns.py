"""Which columns of a table hold source and target, and what belongs to it: by names of a header, or numbers from 0."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from datamodules.errors import UserError, suggest

Column = int | str
"""A number, counted from 0, or a name of the header; a number that is such a name, as of pandas, is the name."""

Row = tuple[str, str, str]
"""A source, its features, which are empty where a table has none, and a target."""

Record = tuple[int, Sequence[str]]
"""The number of a line, from 1, and its cells."""


@dataclass(frozen=True)
class Columns:
    """Where source, target and features stand.

    Args:
        source: Column of the source.
        target: Column of the target.
        features: Column of the source's features; None where there are none.
        before: Column of what is read before the source, with a space between them; None where there is none.
    """

    source: Column
    target: Column
    features: Column | None = None
    before: Column | None = None

    @classmethod
    def of(cls, given: Mapping[str, Column], place: str) -> Columns:
        """Takes what a config says.

        Args:
            given: For ``source``, ``target``, ``features`` and ``before`` a column each; the last two may be left out.
            place: Names the table, for errors.

        Raises:
            UserError: A key is unknown or missing, a number is below 0, or two have the same column.
        """
        known = ("source", "target", "features", "before")
        for key, column in given.items():
            if key not in known:
                raise UserError(f"{place}: columns has an unknown key '{key}': {suggest(key, known)}")
            if isinstance(column, int) and column < 0:
                raise UserError(f"{place}: columns.{key} is {column}: columns are counted from 0")
        for key in known[:2]:
            if key not in given:
                raise UserError(f"{place}: columns names no {key}: give columns: {{source: ..., target: ...}}")
        seen: dict[Column, str] = {}
        for key, column in given.items():
            if column in seen:
                raise UserError(
                    f"{place}: columns.{seen[column]} and columns.{key} are both {column!r}: each needs its own"
                )
            seen[column] = key
        return cls(**given)

    @property
    def features_first(self) -> bool:
        """Whether the features stand before the source, where numbers tell it."""
        return isinstance(self.features, int) and isinstance(self.source, int) and self.features < self.source

    def chosen(self) -> Iterator[tuple[str, Column]]:
        """Those that there are, by ``source``, ``target``, ``features`` and ``before``."""
        yield from (("source", self.source), ("target", self.target))
        if self.features is not None:
            yield "features", self.features
        if self.before is not None:
            yield "before", self.before

    def positions(self, header: Sequence[str] | None, place: str) -> Positions:
        """Finds each column.

        Args:
            header: The names of all columns; None where the table has no header.
            place: Names the table, for errors.

        Raises:
            UserError: There is no such column, or a name comes twice.
        """
        found = {key: _position(key, column, header, place) for key, column in self.chosen()}
        return Positions(found["source"], found["target"], found.get("features"), found.get("before"))


def _position(key: str, column: Column, header: Sequence[str] | None, place: str) -> int:
    if isinstance(column, int) and (header is None or str(column) not in header):
        if header is not None and column >= len(header):
            raise UserError(
                f"{place}: columns.{key} is {column}, but the header has {len(header)}, counted from 0, none of "
                "that name"
            )
        return column
    if header is None:
        raise UserError(f"{place}: columns.{key} is '{column}', but there is no header: set header: true, or a number")
    column = str(column)
    if header.count(column) > 1:
        raise UserError(f"{place}: columns.{key} is '{column}', which the header has twice: give its number, from 0")
    if column not in header:
        hint = suggest(column, header) + _delimiter_of(header)
        raise UserError(f"{place}: columns.{key} is '{column}', which is no column: {hint}")
    return header.index(column)


def column_notices(columns: Columns, header: Sequence[str], place: str) -> Iterator[str]:
    """Words on numbers that are names of other columns in the header, and on columns that are read twice.

    Args:
        columns: As they were given.
        header: The names of all columns.
        place: Names the table.

    Raises:
        UserError: There is no such column, or a name comes twice.
    """
    keys: dict[int, str] = {}
    for key, column in columns.chosen():
        position = _position(key, column, header, place)
        if isinstance(column, int) and position != column < len(header):
            yield (
                f"{place}: columns.{key} is {column}, which the header has as a name: read is the column of that name, "
                f"number {position}, and not number {column}, {header[column]!r}"
            )
        if position in keys:
            both = f"columns.{keys[position]} and columns.{key}"
            yield f"{place}: {both} are both column {position}, {header[position]!r}"
        keys.setdefault(position, key)


def header_of(records: Iterator[Record]) -> list[str]:
    """The names of the columns, which the next line has.

    Args:
        records: The lines of a table with a header.
    """
    return [name.strip() for name in next(records)[1]]


def _delimiter_of(header: Sequence[str]) -> str:
    """What to do where a header has one name alone, in which something seems to part several."""
    found = next((sign for sign in (";", "\t", "|", ",") if len(header) == 1 and sign in header[0]), None)
    return "" if found is None else f"; its columns seem to be parted by {found!r}: set delimiter"


@dataclass(frozen=True)
class Positions:
    """Columns of a table, found.

    Args:
        source: Position of the source, from 0.
        target: Position of the target.
        features: Position of the features; None where there are none.
        before: Position of what is read before the source; None where there is none.
    """

    source: int
    target: int
    features: int | None
    before: int | None = None

    def rows(self, records: Iterable[Record], path: Path) -> Iterator[Row]:
        """Takes lines apart; one without cells is a pair of empty sentences.

        Args:
            records: The lines.
            path: The table, for errors.

        Raises:
            UserError: One has too few columns.
        """
        source, target, features, before = self.source, self.target, self.features, self.before
        needed = 1 + max(position for position in vars(self).values() if position is not None)
        for number, cells in records:
            if len(cells) >= needed:
                text = cells[source] if before is None else preceded(cells[before], cells[source])
                yield text, "" if features is None else cells[features], cells[target]
            elif cells:
                raise self._too_few(len(cells), needed, f"{path}, line {number}")
            else:
                yield "", "", ""

    def _too_few(self, count: int, needed: int, place: str) -> UserError:
        last = next(key for key, position in vars(self).items() if position == needed - 1)
        return UserError(
            f"{place}: it has {count} columns, but {needed} are needed: the {last} is column {needed - 1}, counted "
            "from 0"
        )


def outer_column(name: str, known: Sequence[str], path: Path) -> str:
    """The column of a table that a name belongs to: its own, or that which another one lies in.

    Args:
        name: As ``en``, or ``translation.en``.
        known: The columns of the table.
        path: The table, for errors.

    Raises:
        UserError: There is none.
    """
    for column in (name, name.partition(".")[0]):
        if column in known:
            return column
    raise UserError(f"{path}: '{name}' is no column: {suggest(name, known)}")


def preceded(before: str, source: str) -> str:
    """A source and what is read before it.

    Args:
        before: What that is; it may be empty.
        source: The source; it may be empty, too.
    """
    return " ".join(filter(None, (before, source)))


def rows_of(records: Iterator[Record], columns: Columns, has_header: bool, path: Path, remedy: str) -> Iterator[Row]:
    """The rows of a table.

    Args:
        records: Its lines, the header among them.
        columns: Where source, target and features stand.
        has_header: Whether the first line has the names of the columns.
        path: The table, for errors.
        remedy: What to do where a line has too many cells.

    Raises:
        UserError: A column does not exist, a line has too few, or more than the header has names, without a header more
            than the first line.
    """
    header = header_of(records) if has_header else None
    width = 0 if header is None else len(header)
    first = "first line" if header is None else "header"
    checked = _no_wider(records, width, first, path, remedy)
    yield from columns.positions(header, str(path)).rows(checked, path)


def _no_wider(records: Iterable[Record], width: int, first: str, path: Path, remedy: str) -> Iterator[Record]:
    """The lines, which have so many cells at most; of 0 as many as the first that has some."""
    for number, cells in records:
        width = width or len(cells)
        if len(cells) > width:
            raise UserError(f"{path}, line {number}: it has {len(cells)} columns, but the {first} {width}: {remedy}")
        yield number, cells
