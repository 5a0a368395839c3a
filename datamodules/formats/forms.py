"""The forms in which a config names pairs on disk, and what looks wrong with one at first sight."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, islice
from pathlib import Path

from datamodules.corpora.corpus import TextFiles, TsvFile
from datamodules.errors import UserError
from datamodules.formats.columns import Row, column_notices
from datamodules.formats.compression import COMPRESSED
from datamodules.formats.delimited import CsvFile
from datamodules.formats.dialogues import DialogueFile
from datamodules.formats.headings import is_heading
from datamodules.formats.json_lines import JsonLinesFile
from datamodules.formats.lines import Lines
from datamodules.formats.parquet import ParquetFile
from datamodules.formats.saved_dataset import SavedDataset

ParallelText = TextFiles | TsvFile | CsvFile | JsonLinesFile | ParquetFile | SavedDataset | DialogueFile
"""Pairs on disk, as a config names them."""

_TABLES = {".tsv": "tsv", ".csv": "csv", ".jsonl": "jsonl", ".parquet": "parquet"}
"""How the names of tables end, and the key of each."""

_LOOKED_AT = 1000
"""Rows that are looked at for quotes."""


def check_form(text: ParallelText, key: str) -> None:
    """Refuses what no file could make right; reads none.

    Args:
        text: As a config has it.
        key: Its config key, for errors.

    Raises:
        UserError: Columns are named twice or not at all, a table is given as lines of text, or there are no such lines.
    """
    try:
        _ = text.chosen
    except UserError as error:
        raise UserError(f"{key}: {error}") from error
    if isinstance(text, TextFiles):
        for name, column, key_of_column in _sides(text):
            kind = _table(name)
            if column is not None and column < 0:
                raise UserError(f"{key}.{key_of_column} is {column}: columns are counted from 0")
            if kind == "parquet" or (kind is not None and column is None and text.source == text.target):
                raise UserError(f"{key}: {name} is a table, whose lines are no sentences: {_as_table(name)}")
        if text.lines is not None:
            text.lines.check(f"{key}.lines")


def check_apart(texts: Mapping[str, ParallelText]) -> None:
    """Refuses lines of one corpus that are named for two splits.

    Args:
        texts: As a config has them, by their config keys.

    Raises:
        UserError: Two have lines in common, and one of them names lines.
    """
    for (key, one), (other_key, other) in combinations(texts.items(), 2):
        if not isinstance(one, TextFiles) or not isinstance(other, TextFiles) or _paths(one) != _paths(other):
            continue
        names_lines = one.lines is not None or other.lines is not None
        if names_lines and (one.lines or Lines()).overlaps(other.lines or Lines()):
            raise UserError(f"{key} and {other_key} have lines of {files_of(one)} in common: part them by lines")


def _paths(text: TextFiles) -> list[Path]:
    """The files as one spelling of each: a/../b.txt and b.txt are the same."""
    return [Path(name).expanduser().resolve() for name in (text.source, text.target)]


def lines_before(text: ParallelText) -> int:
    """Lines of the file that stand before the first row."""
    return text.lines.first - 1 if isinstance(text, TextFiles) and text.lines is not None else 0


def notices(text: ParallelText) -> Iterator[str]:
    """Words on what is likely a mistake, though nothing forbids it; looks at the first rows.

    Args:
        text: Pairs that can be read.
    """
    if isinstance(text, TextFiles):
        yield from _notices_of_lines(text)
    rows = list(islice(text.rows(), _LOOKED_AT))
    has_header = not isinstance(text, TextFiles | TsvFile | CsvFile) or (
        not isinstance(text, TextFiles) and text.header
    )
    if rows and not has_header and is_heading(rows[0][0]) and is_heading(rows[0][2]):
        remedy = "take it out" if isinstance(text, TextFiles) else "set header: true"
        yield f"{files_of(text)}: the first line, {rows[0][0]!r} and {rows[0][2]!r}, is read as a pair: {remedy}"
    if isinstance(text, TsvFile | CsvFile) and text.header:
        yield from column_notices(text.chosen, text.names(), files_of(text))
    if isinstance(text, TsvFile) and (first := _first_in_quotes(rows)):
        yield (
            f"{text.tsv}: cells stand in quotes, the first in {'line' if text.counts_lines else 'row'} {first}, which "
            'are read as part of the text: {csv: FILE, delimiter: "\\t", header: '
            f"{str(text.header).lower()}, columns: ...}} takes them off"
        )


def files_of(text: ParallelText) -> str:
    """The files of a form, as the config names them."""
    if isinstance(text, TextFiles):
        return f"{text.source} and {text.target}"
    return next(iter(vars(text).values()))


def place_of(text: ParallelText, numbers: str) -> str:
    """Words where rows stand: "lines 3, 8 of train.tsv".

    Args:
        text: The form.
        numbers: The numbers of the rows.
    """
    return f"{'lines' if text.counts_lines else 'rows'} {numbers} of {files_of(text)}"


def _notices_of_lines(text: TextFiles) -> Iterator[str]:
    for name in dict.fromkeys(name for name, column, _ in _sides(text) if column is None):
        if _table(name):
            yield f"{name} is read as lines of text, though it is called like a table: {_as_table(name)}"
    if (text.source, text.source_column) == (text.target, text.target_column):
        yield f"{text.source} is both source and target: what is learnt is to copy"


def _sides(text: TextFiles) -> Iterator[tuple[str, int | None, str]]:
    """Of each side the file, the column that is read of it, and the key of that."""
    yield text.source, text.source_column, "source_column"
    yield text.target, text.target_column, "target_column"


def _table(name: str) -> str | None:
    """The key of the table that a file is by its name; None where it is none."""
    path = Path(name)
    return _TABLES.get((path.with_suffix("") if path.suffix in COMPRESSED else path).suffix.lower())


def _as_table(name: str) -> str:
    kind = _table(name)
    columns = "{source: 0, target: 1}" if kind == "tsv" else "{source: NAME, target: NAME}"
    return f"give {{{kind}: {name}, columns: {columns}}}"


def _first_in_quotes(rows: Sequence[Row]) -> int | None:
    """The number of the first row with a cell in quotes, where half of the rows have one, or quotes written twice."""
    found = [number for number, row in enumerate(rows, start=1) if any(map(_is_in_quotes, row))]
    escaped = any(_is_in_quotes(cell) and '""' in cell[1:-1] for row in rows for cell in row)
    return found[0] if found and (escaped or 2 * len(found) >= len(rows)) else None


def _is_in_quotes(cell: str) -> bool:
    return len(cell) > 1 and cell[0] == cell[-1] == '"'
