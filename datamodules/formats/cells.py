"""Cells of a table as sentences: a sentence is one line of text, whatever a cell is."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

from datamodules.corpora.corpus import check_characters
from datamodules.errors import UserError, suggest
from datamodules.formats.columns import Columns, Row, preceded

_BREAK = re.compile(r"\r\n|[\r\n\t]")
"""What ends lines or columns in files of text."""


def one_line(cell: str) -> str:
    """A cell whose line ends and tabs are spaces, since everywhere else a sentence is a line.

    Args:
        cell: Any text.
    """
    return _BREAK.sub(" ", cell)


def row_of(record: Mapping[str, object], columns: Columns, place: str) -> Row:
    """Takes a record of named values apart.

    Args:
        record: Its values: text, numbers, or records in themselves, whose names follow a point: ``translation.en``.
        columns: Which of them are source, target and features.
        place: Names the record, for errors.

    Raises:
        UserError: A name is missing, or its value is no text.
    """
    texts = {key: _text(_value(record, str(name), place), str(name), place) for key, name in columns.chosen()}
    return preceded(texts.get("before", ""), texts["source"]), texts.get("features", ""), texts["target"]


def _value(record: Mapping[str, object], name: str, place: str) -> object:
    if name in record:
        return record[name]
    names = dict(_names(record))
    if name not in names:
        raise UserError(f"{place}: it has no '{name}': {suggest(name, names)}")
    return names[name]


def _names(record: Mapping[str, object], before: str = "") -> Iterator[tuple[str, object]]:
    """Every name in a record with its value, also of records within it."""
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from _names(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _text(value: object, name: str, place: str) -> str:
    is_missing = value is None or (isinstance(value, float) and math.isnan(value))
    if is_missing or isinstance(value, bool) or not isinstance(value, str | int | float):
        kind = "null" if is_missing else type(value).__name__
        raise UserError(f"{place}: '{name}' is {kind}: give text, or a number")
    text = one_line(str(value))
    check_characters(text, f"{place}, '{name}'")
    return text
