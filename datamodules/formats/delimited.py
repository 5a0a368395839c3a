"""CSV: cells between delimiters, in quotes where they hold one."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from datamodules.corpora.corpus import Decode, find_file, read_lines
from datamodules.errors import UserError
from datamodules.formats.cells import one_line
from datamodules.formats.columns import Column, Columns, Record, Row, header_of, rows_of


@dataclass(frozen=True)
class CsvFile:
    """A CSV file, as spreadsheets write it; .gz, .bz2, .xz and .zst too.

    Args:
        csv: The file. A line end within quotes, and a tab, is read as a space.
        columns: ``{source: NAME, target: NAME}``: names of the header, or numbers from 0; also ``features``, where the
            data module has the setting.
        delimiter: What stands between the cells.
        header: Whether the first line has the names of the columns.
    """

    csv: str
    columns: dict[str, Column]
    delimiter: str = ","
    header: bool = True

    @property
    def chosen(self) -> Columns:
        """The columns that are read.

        Raises:
            UserError: They cannot be.
        """
        if len(self.delimiter) != 1 or self.delimiter in '"\r\n':
            raise UserError(f"{self.csv}: delimiter is {self.delimiter!r}: give one character, and no quote")
        return Columns.of(self.columns, self.csv)

    @property
    def counts_lines(self) -> bool:
        """Whether the number of a row is that of its line."""
        return False

    def layout(self) -> dict[str, object]:
        """What decides, beside the bytes of the file, which rows it has."""
        return {"columns": self.columns, "delimiter": self.delimiter, "header": self.header}

    def files(self) -> list[Path]:
        """The file, found.

        Raises:
            UserError: It does not exist.
        """
        return [find_file(self.csv)]

    def rows(self, decode: Decode | None = None) -> Iterator[Row]:
        """All rows in order; nothing is left out, nothing held in memory.

        Args:
            decode: As :func:`datamodules.corpora.corpus.read_lines` takes it.

        Raises:
            UserError: The file is missing, empty or broken, a line is no text, a quote is not closed, or a line has too
                few columns or too many.
        """
        (path,) = self.files()
        remedy = f"a cell that holds {self.delimiter!r} has to stand in quotes"
        return rows_of(self._records(path, decode), self.chosen, self.header, path, remedy)

    def names(self) -> list[str]:
        """The names of the columns, in a table with a header.

        Raises:
            UserError: The file is missing, empty or broken, or its first line is no text.
        """
        (path,) = self.files()
        return header_of(self._records(path, None))

    def _records(self, path: Path, decode: Decode | None) -> Iterator[Record]:
        lines = (f"{line}\n" for line in read_lines(path, decode))
        reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
        while True:
            number = reader.line_num + 1
            try:
                cells = [one_line(cell) for cell in next(reader)]
            except StopIteration:
                return
            except csv.Error as error:
                raise UserError(
                    _what_is_wrong(error, f"{path}, line {number}, read up to line {reader.line_num}")
                ) from error
            yield number, cells


def _what_is_wrong(error: csv.Error, place: str) -> str:
    """What a reader says of a record, and what to do.

    Args:
        error: What it raised.
        place: Names the record.
    """
    if "field limit" in str(error):
        return (
            f"{place}: a cell has more than {csv.field_size_limit():,} characters: close its quote, or shorten it, or "
            "give the table as TSV or JSON lines"
        )
    return f"{place}: {error}; a quote has to be closed, and one within a cell in quotes written twice"
