"""Parallel text from disk: two line-aligned files or one TSV, read line by line and checked."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from itertools import zip_longest
from pathlib import Path

from datamodules.errors import UserError, suggest
from datamodules.formats.columns import Column, Columns, Record, Row, header_of, rows_of
from datamodules.formats.compression import COMPRESSED, opened
from datamodules.formats.lines import Lines

FORBIDDEN = {
    "\0": "a NUL character",
    "\u2028": "a line separator (U+2028)",
    "\u2029": "a paragraph separator (U+2029)",
}
"""Characters that other programs take for the end of a line or of the text, so that the alignment would shift."""

Decode = Callable[[bytes, Path, int], str]
"""Makes text of a line: of its bytes without their end, the file and the number of the line."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_TWO_COLUMNS = Columns(0, 1)
"""What a TSV has where nothing else is said."""

_NO_TABS = "a cell holds no tab; put a space in its place"
"""What to do where a line between tabs has too many cells."""

_MOST_NAMES = 20
"""The names that exist are listed in an error up to that many; of more, the similar ones alone."""


@dataclass(frozen=True)
class TextFiles:
    """Two files: each line of one is the translation of the same line of the other; .gz, .bz2, .xz and .zst too.

    Args:
        source: File of the source sentences.
        target: File of their translations, with as many lines.
        lines: ``{first: 16001, last: 17000}``: the pairs of these lines alone; null for all.
        fold_spaces: Whether white space within a line is read as single spaces, and at its ends as none: of code, where
            nothing tells how a line is indented.
        source_column: Number of the column, counted from 0, that has the source where the lines of its file have
            several between tabs; null for the whole line.
        target_column: Likewise of the target.
    """

    source: str
    target: str
    lines: Lines | None = None
    fold_spaces: bool = False
    source_column: int | None = None
    target_column: int | None = None

    def files(self) -> list[Path]:
        """The files, found; what they hold decides all that :meth:`pairs` yields.

        Raises:
            UserError: A file does not exist.
        """
        return [find_file(self.source), find_file(self.target)]

    @property
    def chosen(self) -> None:
        """Text has no columns."""

    @property
    def counts_lines(self) -> bool:
        """Whether the number of a row is that of its line."""
        return True

    def layout(self) -> dict[str, object]:
        """What decides, beside the bytes of the files, which rows they have; empty for all, as they are."""
        lines = None if self.lines is None else asdict(self.lines)
        given = {"lines": lines, "fold_spaces": self.fold_spaces}
        columns = {"source_column": self.source_column, "target_column": self.target_column}
        chosen = {name: column for name, column in columns.items() if column is not None}
        return {**{name: value for name, value in given.items() if value}, **chosen}

    def rows(self, decode: Decode | None = None) -> Iterator[Row]:
        """The same as :meth:`pairs`, as rows without features."""
        return ((source, "", target) for source, target in self.pairs(decode))

    def pairs(self, decode: Decode | None = None) -> Iterator[tuple[str, str]]:
        """The (source, target) lines in order, without line ends; nothing is held in memory.

        Args:
            decode: As :func:`read_lines` takes it.

        Raises:
            UserError: A file is missing, empty or broken, a line is no text, or lacks the column that is read or has
                more than the first line, or the files differ in lines, or have fewer than are named.
        """
        pairs = self._all_pairs(decode)
        if self.fold_spaces:
            pairs = ((" ".join(source.split()), " ".join(target.split())) for source, target in pairs)
        return pairs if self.lines is None else self.lines.of(pairs, f"{self.source} and {self.target}")

    def _all_pairs(self, decode: Decode | None) -> Iterator[tuple[str, str]]:
        source_path, target_path = self.files()
        sources = _column(read_lines(source_path, decode), self.source_column, source_path)
        targets = _column(read_lines(target_path, decode), self.target_column, target_path)
        for number, (source, target) in enumerate(zip_longest(sources, targets), start=1):
            if source is None or target is None:
                source_count = number - (source is None) + sum(1 for _ in sources)
                target_count = number - (target is None) + sum(1 for _ in targets)
                raise UserError(
                    f"{source_path} has {source_count:,} lines, but {target_path} has {target_count:,}: "
                    "each line of one must be the translation of the same line of the other"
                )
            yield source, target


@dataclass(frozen=True)
class TsvFile:
    """One file whose lines are a source sentence, a tab, and its translation; .gz, .bz2, .xz and .zst too.

    Args:
        tsv: The file; an empty line counts as a pair of empty sentences. Quotes are letters as others.
        columns: ``{source: 0, target: 1}``: numbers of columns, counted from 0, or names of the header; also
            ``features``, where the data module has the setting, and ``before``, which is read before the source. If not
            given, there are these two columns and no other.
        header: Whether the first line has the names of the columns.
    """

    tsv: str
    columns: dict[str, Column] | None = None
    header: bool = False

    @property
    def chosen(self) -> Columns:
        """The columns that are read.

        Raises:
            UserError: They cannot be.
        """
        return _TWO_COLUMNS if self.columns is None else Columns.of(self.columns, self.tsv)

    @property
    def counts_lines(self) -> bool:
        """Whether the number of a row is that of its line."""
        return not self.header

    def layout(self) -> dict[str, object]:
        """What decides, beside the bytes of the file, which rows it has; empty where it has the two columns alone."""
        given = {"columns": self.columns, "header": self.header}
        return {name: value for name, value in given.items() if value}

    def files(self) -> list[Path]:
        """The files, found; what they hold decides all that :meth:`pairs` yields.

        Raises:
            UserError: A file does not exist.
        """
        return [find_file(self.tsv)]

    def rows(self, decode: Decode | None = None) -> Iterator[Row]:
        """All rows in order; nothing is left out, nothing held in memory.

        Args:
            decode: As :func:`read_lines` takes it.

        Raises:
            UserError: A file is missing, empty or broken, a line is no text, or has too few columns or too many.
        """
        (path,) = self.files()
        return rows_of(self._records(path, decode), self.chosen, self.header, path, _NO_TABS)

    def names(self) -> list[str]:
        """The names of the columns, in a table with a header.

        Raises:
            UserError: The file is missing, empty or broken, or its first line is no text.
        """
        (path,) = self.files()
        return header_of(self._records(path, None))

    def pairs(self, decode: Decode | None = None) -> Iterator[tuple[str, str]]:
        """All (source, target) sentences in order, as :meth:`rows` has them."""
        return ((source, target) for source, _, target in self.rows(decode))

    def _records(self, path: Path, decode: Decode | None) -> Iterator[Record]:
        has_two = self.columns is None
        for number, line in enumerate(read_lines(path, decode), start=1):
            cells = line.split("\t") if line else []
            if has_two and cells and len(cells) != 2:
                raise UserError(
                    f"{path}, line {number}: {len(cells) - 1} tabs; give two columns, the source and its translation, "
                    "with one tab between them, or say which of several they are by columns: {source: 0, target: 1}"
                )
            yield number, cells


def _column(lines: Iterator[str], column: int | None, path: Path) -> Iterator[str]:
    """One column of each line, counted from 0; the lines themselves where none is named."""
    return lines if column is None else _cells(lines, column, path)


def _cells(lines: Iterable[str], column: int, path: Path) -> Iterator[str]:
    width = 0
    for number, line in enumerate(lines, start=1):
        cells = line.split("\t")
        if line and column >= len(cells):
            raise UserError(
                f"{path}, line {number}: it has {len(cells)} columns between tabs, but column {column} is read, "
                "counted from 0"
            )
        width = width or (len(cells) if line else 0)
        if len(cells) > max(width, 1):
            raise UserError(
                f"{path}, line {number}: it has {len(cells)} columns, but the first line {width}: {_NO_TABS}"
            )
        yield cells[column] if line else ""


def find_file(path: str) -> Path:
    """Finds a file of the user's.

    Args:
        path: As the user wrote it. A relative path is looked for in the working directory, and, where it is not
            there, in the data directory: ``$SEQLAB_DATA``, or ``data`` in the working directory.

    Raises:
        UserError: It does not exist, or is no file; with close matches.
    """
    given = Path(path).expanduser()
    places = [given]
    if not given.is_absolute():
        places.append(Path(os.environ.get("SEQLAB_DATA") or "data") / given)
    for place in places:
        if place.is_file():
            return place
        if place.is_dir():
            raise UserError(f"{place} is a directory: give a file in it")
    directory = next((place.parent for place in reversed(places) if place.parent.is_dir()), None)
    tried = " or ".join(str(place) for place in places)
    if directory is None:
        raise UserError(
            f"no file {tried}: neither directory exists; set SEQLAB_DATA to where the data is, "
            "or fetch it (seqlab fetch --help tells what there is)"
        )
    names = [entry.name for entry in directory.iterdir() if entry.is_file()]
    shown = names if len(names) <= _MOST_NAMES else get_close_matches(given.name, names)
    raise UserError(f"no file {tried}; in {directory}: {suggest(given.name, shown) if shown else 'no similar name'}")


def read_lines(path: Path, decode: Decode | None = None) -> Iterator[str]:
    r"""Reads the lines of a UTF-8 text file; one whose name ends so is decompressed, see :func:`opened`.

    Lines end at ``\n`` or ``\r\n`` and nowhere else, so that no character inside a line can shift the alignment. A
    byte order mark at the start of the file is dropped.

    Args:
        path: The file.
        decode: Makes text of a line; if not given, one that is no text is refused.

    Yields:
        Each line without its end.

    Raises:
        UserError: The file cannot be read or is empty; a line is not UTF-8, or has a character that other programs
            take for the end of a line or of the text.
    """
    number, text_of = 0, decode or _decode
    with opened(path) as file:
        for number, raw in enumerate(_without_mark(file), start=1):
            try:
                text = text_of(raw.removesuffix(b"\n").removesuffix(b"\r"), path, number)
            except UserError:
                if path.suffix in COMPRESSED:  # its checksum comes last: where it is damaged, that is what is wrong
                    for _ in file:
                        pass
                raise
            yield text
    if number == 0:
        raise UserError(f"{path} is empty: give a file with at least one line")


def _without_mark(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Lines without the byte order mark before the first; of a file that has nothing else no line at all."""
    remaining = iter(lines)
    if first := next(remaining, b"").removeprefix(_BYTE_ORDER_MARK):
        yield first
    yield from remaining


def _decode(raw: bytes, path: Path, number: int) -> str:
    try:
        line = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}, line {number}: not UTF-8 (byte 0x{raw[error.start]:02x} at position {error.start + 1}); convert "
            "the file, for example with iconv -t UTF-8"
        ) from error
    check_characters(line, f"{path}, line {number}")
    return line


def check_characters(text: str, place: str) -> None:
    """Refuses the characters of :data:`FORBIDDEN`, and halves of a character, which JSON can hold and UTF-8 cannot.

    Args:
        text: A sentence.
        place: Where it stands, for the error.

    Raises:
        UserError: It has one.
    """
    for character, name in FORBIDDEN.items():
        if character in text:
            raise UserError(f"{place}: {name} at character {text.index(character) + 1}; replace it by a space")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"{place}: half a character (surrogate U+{ord(text[error.start]):04X}) at character {error.start + 1}; "
            "write the whole character, or take it out"
        ) from error


def hash_file(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes.

    Raises:
        UserError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error


def hash_pairs(pairs: Iterable[tuple[str, str]]) -> str:
    """SHA-256 (hex) of (source, target) sentences that are made, not read: their code may change where no setting does.

    Args:
        pairs: All of them, in order.
    """
    digest = hashlib.sha256()
    for source, target in pairs:
        digest.update(f"{source}\t{target}\n".encode())
    return digest.hexdigest()
