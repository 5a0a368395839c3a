"""Directories that Hugging Face's ``datasets`` saved, read by pyarrow, without ``datasets``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from datamodules.corpora.corpus import Decode
from datamodules.errors import UserError, suggest
from datamodules.formats.arrow import ArrowTable
from datamodules.formats.cells import row_of
from datamodules.formats.columns import Columns, Row, outer_column

STATE, SPLITS = "state.json", "dataset_dict.json"
"""What tells the files of one split, and the splits of several: each split is a directory beside it."""

_TOGETHER = 10_000
"""Rows that become Python's at once."""


@dataclass(frozen=True)
class SavedDataset(ArrowTable):
    """A directory that ``save_to_disk`` of ``datasets`` wrote, of one split or several.

    It needs the package pyarrow: ``pip install 'seqlab[parquet]'``.

    Args:
        dataset: The directory. A line end within a cell, and a tab, is read as a space.
        columns: ``{source: NAME, target: NAME}``: names of columns, of one within another as ``translation.en``; also
            ``features``, where the data module has the setting.
        split: Which of its splits, where it has several.
    """

    dataset: str
    columns: dict[str, str]
    split: str | None = None

    @property
    def place(self) -> str:
        """As it was given; see :attr:`ArrowTable.place`."""
        return self.dataset

    def files(self) -> list[Path]:
        """The files that have the rows, in their order.

        Raises:
            UserError: There is no such directory or split, it is none of ``datasets``, or a file is missing.
        """
        directory = self._directory()
        state = _read(directory / STATE)
        if state.get("_indices_data_files"):
            raise UserError(
                f"{directory} says apart from its rows which are chosen, as an old datasets saved it: load it and "
                "save it again"
            )
        try:
            paths = [directory / Path(each["filename"]).name for each in state["_data_files"]]
        except (KeyError, TypeError) as error:
            raise UserError(f"{directory / STATE} names no files: save the dataset again, with save_to_disk") from error
        for path in paths:
            if not path.is_file():
                raise UserError(f"{path} is missing, which {directory / STATE} names: save the dataset again")
        if not paths:
            raise UserError(f"{directory} is empty: give data with sentences")
        return paths

    def rows(self, decode: Decode | None = None) -> Iterator[Row]:
        """All rows in order; nothing is left out, some thousands held in memory.

        Args:
            decode: Without effect: Arrow says how its text is written.

        Raises:
            UserError: A file is missing or broken, pyarrow is, a column is missing, or a value is no text.
        """
        paths, columns = self.files(), self.chosen
        records = chain.from_iterable(_records(path, columns) for path in paths)
        for number, record in enumerate(records, start=1):
            yield row_of(record, columns, f"{paths[0].parent}, row {number}")

    def _directory(self) -> Path:
        """The directory of the split.

        Raises:
            UserError: There is none.
        """
        found = _find(self.dataset)
        if not (found / SPLITS).is_file():
            if not (found / STATE).is_file():
                raise UserError(f"{found} has neither {SPLITS} nor {STATE}: give what save_to_disk of datasets wrote")
            if self.split is not None and self.split != _read(found / STATE).get("_split"):
                raise UserError(f"{found} is one split alone, and not called '{self.split}': leave split out")
            return found
        splits = _read(found / SPLITS).get("splits")
        known = splits if isinstance(splits, list) else []
        if self.split is None:
            raise UserError(f"{found} has several splits: give split, one of {', '.join(map(str, known))}")
        if self.split not in known:
            raise UserError(f"{found} has no split '{self.split}': {suggest(self.split, known)}")
        return found / self.split


def _find(given: str) -> Path:
    """A directory of the user's: in the working directory, else in that of the data.

    Raises:
        UserError: It does not exist, or is none.
    """
    path = Path(given).expanduser()
    places = [path] if path.is_absolute() else [path, Path(os.environ.get("SEQLAB_DATA") or "data") / path]
    for place in places:
        if place.is_dir():
            return place
        if place.is_file():
            raise UserError(f"{place} is a file: give the directory that save_to_disk of datasets wrote")
    raise UserError(f"no directory {' or '.join(map(str, places))}: give what save_to_disk of datasets wrote")


def _read(path: Path) -> dict[str, Any]:
    """What a file of JSON holds.

    Raises:
        UserError: It cannot be read, or is none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise UserError(f"{path} is no JSON of datasets, or a broken one: save the dataset again, with save_to_disk")
    return content


def _records(path: Path, columns: Columns) -> Iterator[dict[str, Any]]:
    """The rows of a file, with the columns that are read alone."""
    try:
        import pyarrow
    except ImportError as error:
        raise UserError(
            f"{path} needs the package pyarrow, which is not installed: pip install 'seqlab[parquet]', or save the "
            "dataset by to_csv"
        ) from error
    try:
        with pyarrow.memory_map(str(path)) as file, pyarrow.ipc.open_stream(file) as stream:
            wanted = [outer_column(str(name), stream.schema.names, path) for _, name in columns.chosen()]
            for batch in stream:
                chosen = batch.select(list(dict.fromkeys(wanted)))
                for first in range(0, chosen.num_rows, _TOGETHER):
                    yield from chosen.slice(first, _TOGETHER).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"{path} is no Arrow file, or a broken one ({' '.join(str(error).split())})") from error
