"""Parquet: tables in columns, read by pyarrow where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datamodules.corpora.corpus import Decode, find_file
from datamodules.errors import UserError
from datamodules.formats.arrow import ArrowTable
from datamodules.formats.cells import row_of
from datamodules.formats.columns import Columns, Row, outer_column

_TOGETHER = 10_000
"""Rows that are read at once."""


@dataclass(frozen=True)
class ParquetFile(ArrowTable):
    """A Parquet file; it needs the package pyarrow: ``pip install 'seqlab[parquet]'``.

    Args:
        parquet: The file. A line end within a cell, and a tab, is read as a space.
        columns: ``{source: NAME, target: NAME}``: names of columns, of one within another as ``translation.en``; also
            ``features``, where the data module has the setting.
    """

    parquet: str
    columns: dict[str, str]

    @property
    def place(self) -> str:
        """As it was given; see :attr:`ArrowTable.place`."""
        return self.parquet

    def files(self) -> list[Path]:
        """The file, found.

        Raises:
            UserError: It does not exist.
        """
        return [find_file(self.parquet)]

    def rows(self, decode: Decode | None = None) -> Iterator[Row]:
        """All rows in order; nothing is left out, some thousands held in memory.

        Args:
            decode: Without effect: the file says how its text is written.

        Raises:
            UserError: The file is missing or broken, pyarrow is, a column is missing, or a value is no text.
        """
        (path,), columns = self.files(), self.chosen
        for number, record in enumerate(_records(path, columns), start=1):
            yield row_of(record, columns, f"{path}, row {number}")


def _records(path: Path, columns: Columns) -> Iterator[dict[str, Any]]:
    """The rows with the columns that are read alone."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise UserError(
            f"{path} needs the package pyarrow, which is not installed: pip install 'seqlab[parquet]', or save the "
            "table as CSV"
        ) from error
    try:
        with parquet.ParquetFile(path) as table:
            wanted = [outer_column(str(name), table.schema_arrow.names, path) for _, name in columns.chosen()]
            for batch in table.iter_batches(_TOGETHER, columns=list(dict.fromkeys(wanted))):
                yield from batch.to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"{path} is no Parquet file, or a broken one ({' '.join(str(error).split())})") from error
