"""Parallel text from disk is the pairs that were written, whatever characters, line ends and compression they have."""

from __future__ import annotations

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodules.corpora.corpus import FORBIDDEN, TextFiles, TsvFile, read_lines
from datamodules.errors import UserError

ODD = "\t\r\x0b\x0c\x1c\x1d\x1e\x85\xa0\u200b\ufeff\u3000\U0001f600e\u0301 "
"""What some programs take for a line end or for nothing at all, and what takes several bytes or code points."""

CHARACTERS = st.one_of(
    st.sampled_from(ODD), st.characters(exclude_categories=["Cs"], exclude_characters=["\n", *FORBIDDEN])
)
LINES = st.lists(st.text(CHARACTERS, max_size=12), min_size=1, max_size=8)
CELLS = st.text(CHARACTERS.filter(lambda character: character != "\t"), max_size=8)


def encoded(lines: list[str], windows: list[bool], closed: bool, mark: bool) -> bytes:
    """The lines as a file.

    Args:
        lines: Without ends.
        windows: For each line, whether its end is that of Windows.
        closed: Whether the last line, where it is not empty, has an end.
        mark: Whether a byte order mark comes first.
    """
    ends = ["\r\n" if each else "\n" for each in windows]
    if not closed and lines[-1]:
        ends[-1] = ""
    return (b"\xef\xbb\xbf" if mark else b"") + "".join(map(str.__add__, lines, ends)).encode()


def written(folder: Path, name: str, content: bytes, compressed: bool) -> Path:
    path = folder / (f"{name}.gz" if compressed else name)
    path.write_bytes(gzip.compress(content, compresslevel=1) if compressed else content)
    return path


def readable(lines: list[str], windows: list[bool], closed: bool, mark: bool) -> list[str]:
    """What a file holds: a carriage return before a newline is part of the end, the first mark of nothing."""
    expected = [line if end else line.removesuffix("\r") for line, end in zip(lines, windows, strict=True)]
    return expected if mark else [expected[0].removeprefix("\ufeff"), *expected[1:]]


@given(LINES, st.data(), st.booleans(), st.booleans(), st.booleans())
def test_the_lines_that_were_written_are_read(
    lines: list[str], data: st.DataObject, closed: bool, mark: bool, compressed: bool
) -> None:
    windows = data.draw(st.lists(st.booleans(), min_size=len(lines), max_size=len(lines)))
    if not closed and lines[-1]:
        windows[-1] = False
    content = encoded(lines, windows, closed, mark)
    with TemporaryDirectory() as folder:
        path = written(Path(folder), "text", content, compressed)
        assert list(read_lines(path)) == readable(lines, windows, closed, mark)


@given(LINES, LINES, st.booleans(), st.booleans())
def test_two_files_are_pairs_or_differ_in_lines(
    sources: list[str], targets: list[str], one_compressed: bool, other_compressed: bool
) -> None:
    with TemporaryDirectory() as folder:
        paths = []
        for name, lines, compressed in (("a", sources, one_compressed), ("b", targets, other_compressed)):
            content = encoded(lines, [True] * len(lines), True, True)
            paths.append(str(written(Path(folder), name, content, compressed)))
        text = TextFiles(*paths)
        if len(sources) == len(targets):
            assert list(text.pairs()) == list(zip(sources, targets, strict=True))
        else:
            message = f"has {len(sources)} lines, but .* has {len(targets)}: "
            with pytest.raises(UserError, match=message):
                list(text.pairs())


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8), st.booleans())
def test_a_tsv_is_the_pairs_that_were_written(pairs: list[tuple[str, str]], compressed: bool) -> None:
    lines = ["\t".join(pair) for pair in pairs]
    with TemporaryDirectory() as folder:
        path = written(Path(folder), "text.tsv", encoded(lines, [True] * len(lines), True, True), compressed)
        assert list(TsvFile(str(path)).pairs()) == pairs


@given(LINES, st.sampled_from(sorted(FORBIDDEN)), st.data())
def test_a_forbidden_character_is_named_with_its_place(lines: list[str], character: str, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(lines) - 1))
    position = data.draw(st.integers(0, len(lines[number])))
    spoilt = [*lines]
    spoilt[number] = f"{lines[number][:position]}{character}{lines[number][position:]}"
    with TemporaryDirectory() as folder:
        path = written(Path(folder), "text", encoded(spoilt, [True] * len(lines), True, True), False)
        with pytest.raises(UserError, match=rf"line {number + 1}: .* at character {position + 1};"):
            list(read_lines(path))
