"""Compressed files are read as what is in them, and what is wrong with them is told with their name."""

from __future__ import annotations

import bz2
import gzip
import importlib
import lzma
import random
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from datamodules.corpora.corpus import TextFiles, read_lines
from datamodules.errors import UserError

LINES = [f"line {number} 你" for number in range(5000)]
TEXT = "".join(f"{line}\n" for line in LINES).encode()
ENDS = [".gz", ".bz2", ".xz", ".zst"]


def compressor(end: str) -> Callable[[bytes], bytes]:
    if end == ".zst":
        return pytest.importorskip("zstandard").ZstdCompressor().compress
    return {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}[end]


@pytest.mark.parametrize("end", ENDS)
def test_a_compressed_file_has_the_lines_that_were_compressed(tmp_path: Path, end: str) -> None:
    path = tmp_path / f"a.en{end}"
    path.write_bytes(compressor(end)(TEXT))
    assert list(read_lines(path)) == LINES


@pytest.mark.parametrize("end", ENDS)
def test_files_that_were_put_one_after_another_are_read_to_their_end(tmp_path: Path, end: str) -> None:
    path, compress = tmp_path / f"a.en{end}", compressor(end)
    path.write_bytes(compress(b"one\ntw") + compress(b"o\nthree\n"))
    assert list(read_lines(path)) == ["one", "two", "three"]


@pytest.mark.parametrize("end", ENDS)
def test_a_byte_order_mark_is_dropped_there_too(tmp_path: Path, end: str) -> None:
    path = tmp_path / f"a.en{end}"
    path.write_bytes(compressor(end)("\ufeffone\r\n\ufefftwo".encode()))
    assert list(read_lines(path)) == ["one", "\ufefftwo"]
    path.write_bytes(compressor(end)("\ufeff".encode()))
    with pytest.raises(UserError, match="is empty"):
        list(read_lines(path))


@pytest.mark.parametrize("end", ENDS)
def test_what_is_wrong_with_a_compressed_file_is_told_with_its_name(tmp_path: Path, end: str) -> None:
    good, path = tmp_path / "a.en", tmp_path / f"a.de{end}"
    text = "".join(f"{number * 7919 % 5000}\n" for number in range(5000)).encode()
    good.write_bytes(text)
    whole = compressor(end)(text)
    damaged = bytearray(whole)
    damaged[len(damaged) // 2] ^= 0xFF
    for content, wrong in (
        (whole[: len(whole) // 2], "is cut off"),
        (bytes(damaged), "or a broken one"),
        (b"one\ntwo\n", "or a broken one"),
        (compressor(end)(b""), "is empty"),
    ):
        path.write_bytes(content)
        with pytest.raises(UserError) as error:
            list(TextFiles(str(good), str(path)).pairs())
        assert str(error.value).startswith(f"{path} is ")
        assert wrong in str(error.value)


def test_frames_of_zstd_are_read_one_after_another_and_a_cut_one_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package's part is played by zlib, whose objects take frames apart by the same methods."""
    decompressor = SimpleNamespace(decompressobj=zlib.decompressobj)
    stand_in = SimpleNamespace(ZstdDecompressor=lambda **_: decompressor, ZstdError=zlib.error)
    monkeypatch.setitem(sys.modules, "zstandard", stand_in)
    path, random_bytes = tmp_path / "a.en.zst", random.Random(0).randbytes(200_000).hex().encode()
    path.write_bytes(zlib.compress(b"one\ntw") + zlib.compress(b"") + zlib.compress(b"o\n" + random_bytes))
    assert list(read_lines(path)) == ["one", "two", random_bytes.decode()]
    whole = zlib.compress(TEXT)
    for content, wrong in (
        (whole[:-10], "is cut off"),
        (whole + whole[:10], "is cut off"),
        (whole + b"junk", "is no zstd file, or a broken one"),
    ):
        path.write_bytes(content)
        with pytest.raises(UserError, match=rf"a\.en\.zst {wrong}"):
            list(read_lines(path))


def test_zstd_needs_a_package_which_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.en.zst"
    path.write_bytes(b"whatever")
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(ImportError):
        importlib.import_module("zstandard")
    with pytest.raises(UserError, match=r"a\.en\.zst is compressed by zstd.*pip install 'seqlab\[zstd\]'"):
        list(read_lines(path))
