"""Text files of vectors: word2vec's, GloVe's, fastText's ``.vec``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from datamodules.corpora.corpus import find_file, read_lines
from datamodules.errors import UserError


class WordVectors:
    """A file with a symbol and its vector in each line, between single spaces; gzip if its name ends in ``.gz``.

    Word2vec and fastText have a first line of two numbers, how many vectors there are and how wide. A symbol of GloVe's
    may have spaces in it. Only the rows that are asked for are kept, so that the file may be of any size.

    Args:
        path: The file; see :func:`~datamodules.corpora.corpus.find_file`.

    Raises:
        UserError: There is none, or its first line has no vector.
    """

    def __init__(self, path: str) -> None:
        self.path: Path = find_file(path)
        fields = next(read_lines(self.path, _text)).rstrip(" ").split(" ")
        self._has_header = len(fields) == 2 and all(field.isdecimal() for field in fields)
        self.width = int(fields[1]) if self._has_header else len(fields) - 1
        if self.width < 1:
            raise UserError(f"{self.path}, line 1: no vector; give lines of a symbol and its numbers, between spaces")

    def rows(self, symbols: Mapping[str, int]) -> tuple[list[int], np.ndarray]:
        """The vectors of some symbols; of one that comes twice the first.

        Args:
            symbols: Each with its id.

        Returns:
            The ids of those that the file has, and their vectors, ``(ids, width)``, float32.

        Raises:
            UserError: A line has another number of columns than the first, or a value of a row that is asked for is no
                number.
        """
        found: dict[int, np.ndarray] = {}
        for number, symbol, values in self._lines():
            id_ = symbols.get(symbol)
            if id_ is not None and id_ not in found:
                found[id_] = self._numbers(values, number)
        vectors = np.stack(list(found.values())) if found else np.zeros((0, self.width), dtype=np.float32)
        return list(found), vectors

    def _lines(self) -> Iterator[tuple[int, str, str]]:
        """The number of each line, its symbol, and its values as they are written."""
        for number, line in enumerate(read_lines(self.path, _text), start=1):
            if number == 1 and self._has_header:
                continue
            line = line.rstrip(" ")
            symbol, _, values = line.partition(" ")
            columns = values.count(" ") + bool(values)
            if columns > self.width:
                symbol, values = self._split_symbol(line, columns, number)
            elif columns < self.width:
                raise self._of_another_width(columns, number)
            yield number, symbol, values

    def _split_symbol(self, line: str, columns: int, number: int) -> tuple[str, str]:
        """A symbol with spaces in it, and the values behind; its own further parts are no numbers."""
        parts = line.split(" ")
        symbol, values = parts[: -self.width], parts[-self.width :]
        if all(_is_number(part) for part in symbol[1:]):
            raise self._of_another_width(columns, number)
        return " ".join(symbol), " ".join(values)

    def _numbers(self, values: str, number: int) -> np.ndarray:
        parts = values.split(" ")
        try:
            vector = np.array(parts, dtype=np.float32)
        except ValueError:
            vector = np.array([np.nan])
        if not np.isfinite(vector).all():
            wrong = next(part for part in parts if not _is_number(part))
            raise UserError(f"{self.path}, line {number}: {wrong!r} is no number; mend or remove the line")
        return vector

    def _of_another_width(self, columns: int, number: int) -> UserError:
        return UserError(
            f"{self.path}, line {number}: {columns} numbers, but the lines before have {self.width}: mend or remove it"
        )


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(np.float32(text)))
    except ValueError:
        return False


def _text(line: bytes, _path: Path, _number: int) -> str:
    """A line as text, also one that is none: in a large file there may be some, which are nobody's symbols."""
    return line.decode("utf-8", errors="replace")
