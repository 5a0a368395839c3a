"""JSON lines: an object in each line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from datamodules.corpora.corpus import Decode, find_file, read_lines
from datamodules.errors import UserError
from datamodules.formats.cells import row_of
from datamodules.formats.columns import Columns, Row


@dataclass(frozen=True)
class JsonLinesFile:
    """A file with a JSON object in each line; .gz, .bz2, .xz and .zst too.

    Args:
        jsonl: The file; an empty line counts as a pair of empty sentences.
        columns: ``{source: NAME, target: NAME}``: keys of the objects, of one within another as ``translation.en``;
            also ``features``, where the data module has the setting.
    """

    jsonl: str
    columns: dict[str, str]

    @property
    def chosen(self) -> Columns:
        """The keys that are read.

        Raises:
            UserError: They cannot be.
        """
        return Columns.of(self.columns, self.jsonl)

    @property
    def counts_lines(self) -> bool:
        """Whether the number of a row is that of its line."""
        return True

    def layout(self) -> dict[str, object]:
        """What decides, beside the bytes of the file, which rows it has."""
        return {"columns": self.columns}

    def files(self) -> list[Path]:
        """The file, found.

        Raises:
            UserError: It does not exist.
        """
        return [find_file(self.jsonl)]

    def rows(self, decode: Decode | None = None) -> Iterator[Row]:
        """All rows in order; nothing is left out, nothing held in memory.

        Args:
            decode: As :func:`datamodules.corpora.corpus.read_lines` takes it.

        Raises:
            UserError: The file is missing, empty or broken, a line is no JSON object, or a key is missing or no text.
        """
        (path,), columns = self.files(), self.chosen
        for number, line in enumerate(read_lines(path, decode), start=1):
            place = f"{path}, line {number}"
            yield row_of(record_of(line, place), columns, place) if line.strip() else ("", "", "")


def record_of(line: str, place: str) -> dict[str, object]:
    """The object of a line; its numbers are text, digit by digit, and NaN, which pandas writes for no value, is null.

    Args:
        line: The line.
        place: Names it, for errors.

    Raises:
        UserError: It is no JSON object.
    """
    try:
        record = json.loads(line, parse_int=str, parse_float=str, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise UserError(
            f"{place}: no JSON ({error.msg} at character {error.colno}); give an object in each line"
        ) from error
    except RecursionError as error:
        raise UserError(f"{place}: objects or lists within each other are too deep: give flat ones") from error
    if not isinstance(record, dict):
        raise UserError(f"{place}: a JSON {type(record).__name__} in place of an object: give {{...}} in each line")
    return record


def _constant(name: str) -> str | None:
    """``NaN``, ``Infinity`` or ``-Infinity``, which Python's JSON has beside numbers."""
    return None if name == "NaN" else name
