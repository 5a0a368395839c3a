"""Further columns of a table, which no model reads: what metrics need beside source and target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from datamodules.batch import Split
from datamodules.corpora.corpus import TextFiles
from datamodules.errors import UserError, suggest
from datamodules.formats.columns import Column
from datamodules.formats.dialogues import DialogueFile
from datamodules.formats.forms import ParallelText, files_of
from datamodules.formats.json_lines import JsonLinesFile
from datamodules.formats.parquet import ParquetFile
from datamodules.formats.saved_dataset import SavedDataset


class Annotations:
    """Further columns by name, each read once from each split's table.

    Args:
        columns: Where each stands: a number, from 0, or a name of the header; of JSON a key.
    """

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self._columns = columns
        self._read: dict[tuple[Split, str], Sequence[str]] = {}

    def column(
        self, split: Split, name: str, text: ParallelText, read: Callable[[ParallelText], Sequence[str]]
    ) -> Sequence[str]:
        """A column of a split.

        Args:
            split: Which.
            name: The column's name here.
            text: The split's table.
            read: Reads a table whose target is the column.

        Raises:
            UserError: No column has that name, the table has no such column, or the text is no table.
        """
        if name not in self._columns:
            known = suggest(name, self._columns) if self._columns else "name its column, as {values: 5}"
            raise UserError(f"a metric reads the column {name!r}, which data.init_args.annotations lacks: {known}")
        if (split, name) not in self._read:
            try:
                self._read[split, name] = read(with_target(text, self._columns[name]))
            except UserError as error:
                raise UserError(f"data.init_args.annotations.{name}: {error}") from error
        return self._read[split, name]


def with_target(text: ParallelText, column: Column) -> ParallelText:
    """A table read anew, with another column in place of its target.

    Args:
        text: The table.
        column: Where the other column stands.

    Raises:
        UserError: The text is no table, or its columns are not named.
    """
    if isinstance(text, DialogueFile):
        return replace(text, response=str(column))
    if isinstance(text, TextFiles) or text.columns is None:
        raise UserError(f"{files_of(text)} has no further columns: give a table, and columns: {{source: 0, target: 1}}")
    if isinstance(text, JsonLinesFile | ParquetFile | SavedDataset):
        return replace(text, columns={**text.columns, "target": str(column)})
    return replace(text, columns={**text.columns, "target": column})
