"""Reading parallel text: no character shifts the alignment, and everything wrong is named with its line."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from datamodules.corpora.corpus import TextFiles, TsvFile, find_file, read_lines
from datamodules.errors import UserError


def write(path: Path, content: str | bytes) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def error_of(text: TextFiles | TsvFile) -> str:
    with pytest.raises(UserError) as error:
        list(text.pairs())
    assert "\n" not in str(error.value)
    return str(error.value)


def test_two_files_make_pairs_plain_or_compressed(tmp_path: Path) -> None:
    source = write(tmp_path / "a.en", "one\ntwo\n")
    target = write(tmp_path / "a.de.gz", gzip.compress(b"eins\nzwei"))
    assert list(TextFiles(source, target).pairs()) == [("one", "eins"), ("two", "zwei")]


def test_a_tsv_makes_the_same_pairs(tmp_path: Path) -> None:
    tsv = write(tmp_path / "a.tsv", "one\teins\n\ntwo\tzwei\n")
    assert list(TsvFile(tsv).pairs()) == [("one", "eins"), ("", ""), ("two", "zwei")]


@pytest.mark.parametrize("character", ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\r", "\ufeff", "\xa0"])
def test_no_character_inside_a_line_shifts_the_alignment(tmp_path: Path, character: str) -> None:
    source = write(tmp_path / "a.en", f"a{character}b\nc\n")
    target = write(tmp_path / "a.de", "x\ny\n")
    assert list(TextFiles(source, target).pairs()) == [(f"a{character}b", "x"), ("c", "y")]


def test_line_ends_and_byte_order_mark_of_windows_are_dropped(tmp_path: Path) -> None:
    path = write(tmp_path / "a", "\ufeffone\r\n\r\ntwo\r\r\n")
    assert list(read_lines(Path(path))) == ["one", "", "two\r"]


def test_an_empty_last_line_counts(tmp_path: Path) -> None:
    path = write(tmp_path / "a", "one\n\n")
    assert list(read_lines(Path(path))) == ["one", ""]


@pytest.mark.parametrize(("character", "name"), [("\0", "NUL"), ("\u2028", "U+2028"), ("\u2029", "U+2029")])
def test_characters_that_end_lines_elsewhere_are_named_with_their_line(
    tmp_path: Path, character: str, name: str
) -> None:
    source = write(tmp_path / "a.en", f"one\ntw{character}o\n")
    target = write(tmp_path / "a.de", "eins\nzwei\n")
    message = error_of(TextFiles(source, target))
    assert f"{source}, line 2: " in message
    assert name in message
    assert "at character 3" in message


def test_bytes_that_are_not_utf8_are_named_with_their_line(tmp_path: Path) -> None:
    source = write(tmp_path / "a.en", "one\ntwo\n")
    target = write(tmp_path / "a.de", b"eins\nsch\xf6n\n")
    assert f"{target}, line 2: not UTF-8 (byte 0xf6 at position 4)" in error_of(TextFiles(source, target))


@pytest.mark.parametrize(("sources", "targets"), [(3, 5), (5, 3), (1, 2)])
def test_different_numbers_of_lines_are_both_told(tmp_path: Path, sources: int, targets: int) -> None:
    source = write(tmp_path / "a.en", "one\n" * sources)
    target = write(tmp_path / "a.de", "eins\n" * targets)
    assert f"{source} has {sources} lines, but {target} has {targets}" in error_of(TextFiles(source, target))


@pytest.mark.parametrize(("line", "tabs"), [("no tab", 0), ("a\tb\tc", 2)])
def test_a_tsv_has_two_columns(tmp_path: Path, line: str, tabs: int) -> None:
    tsv = write(tmp_path / "a.tsv", f"one\teins\n{line}\n")
    assert f"{tsv}, line 2: {tabs} tabs" in error_of(TsvFile(tsv))


def test_missing_empty_and_broken_files(tmp_path: Path) -> None:
    good = write(tmp_path / "train.en", "one\n")
    compressed = gzip.compress(b"eins\n" * 10_000)
    damaged = bytearray(compressed)
    damaged[len(damaged) // 2] ^= 0xFF
    for name, content, message in (
        ("empty", b"", "is empty"),
        ("empty.gz", gzip.compress(b""), "is empty"),
        ("cut.gz", compressed[: len(compressed) // 2], "is cut off"),
        ("damaged.gz", bytes(damaged), "is no gzip file, or a broken one"),
        ("plain.gz", b"eins\n", "is no gzip file, or a broken one"),
    ):
        path = write(tmp_path / name, content)
        assert f"{path} {message}" in error_of(TextFiles(good, path))
    assert "did you mean 'train.en'" in error_of(TextFiles(good, str(tmp_path / "train.e")))
    assert "is a directory" in error_of(TextFiles(good, str(tmp_path)))
    assert "neither directory exists" in error_of(TextFiles(good, "nowhere/train.de"))


def test_relative_paths_are_looked_for_here_and_in_the_data_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEQLAB_DATA", raising=False)
    for place in ("data", "elsewhere"):
        (tmp_path / place).mkdir()
        write(tmp_path / place / "a.en", place)
    assert find_file("a.en") == Path("data/a.en")
    monkeypatch.setenv("SEQLAB_DATA", str(tmp_path / "elsewhere"))
    assert find_file("a.en") == tmp_path / "elsewhere" / "a.en"
    write(tmp_path / "a.en", "here")
    assert find_file("a.en") == Path("a.en")


def test_a_long_directory_is_not_listed_in_the_error(tmp_path: Path) -> None:
    for number in range(100):
        write(tmp_path / f"{number}.txt", "x")
    with pytest.raises(UserError, match="no similar name"):
        find_file(str(tmp_path / "train.en"))
