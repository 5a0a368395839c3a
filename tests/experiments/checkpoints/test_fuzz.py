"""The readers of files from elsewhere, given noise for some seconds: whatever comes is read or told in one line."""

from __future__ import annotations

import gzip
import io
import os
import random
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from datamodules.corpora.corpus import TextFiles, TsvFile
from datamodules.errors import UserError
from experiments.checkpoints.reading import read_checkpoint
from tests.experiments.tiny_checkpoint import tiny_checkpoint, write

SECONDS = float(os.environ.get("SEQLAB_FUZZ_SECONDS", "3"))
"""Time for each of the four tests."""

LEAST = 20
"""Cases that are tried on the slowest machine."""


def cases(seed: int) -> Iterator[random.Random]:
    """A generator for each case, until the time is up; a case is repeated by its number alone."""
    end = time.monotonic() + SECONDS
    number = 0
    while number < LEAST or time.monotonic() < end:
        generator = random.Random(f"{seed}:{number}")
        yield generator
        number += 1
    print(f"{number} cases")


def flipped(content: bytes, generator: random.Random) -> bytes:
    """Some bits are others."""
    spoilt = bytearray(content)
    for _ in range(generator.choice([1, 1, 2, 8, 64])):
        spoilt[generator.randrange(len(spoilt))] ^= 1 << generator.randrange(8)
    return bytes(spoilt)


def cut(content: bytes, generator: random.Random) -> bytes:
    """An end, or a beginning, is missing."""
    place = generator.randrange(len(content))
    return content[:place] if generator.random() < 0.8 else content[place:]


def spliced(content: bytes, generator: random.Random) -> bytes:
    """A piece is replaced by another piece, by noise, or by nothing; or it comes twice."""
    start, end = sorted(generator.choices(range(len(content) + 1), k=2))
    end = min(end, start + generator.choice([1, 4, 30, 500, len(content)]))
    other = generator.randrange(len(content))
    piece = generator.choice(
        [b"", generator.randbytes(end - start), bytes(end - start), content[other : other + end - start]]
    )
    return content[:start] + piece + content[start if generator.random() < 0.2 else end :]


MUTATIONS: list[Callable[[bytes, random.Random], bytes]] = [flipped, cut, spliced]


def mutated(content: bytes, generator: random.Random) -> bytes:
    """One or several mutations."""
    for mutation in generator.choices(MUTATIONS, k=generator.choice([1, 1, 2, 4])):
        content = mutation(content, generator) or b"\0"
    return content


def assert_told(path: Path, error: UserError, content: bytes) -> None:
    assert "\n" not in str(error)
    assert str(path) in str(error), content


@pytest.fixture
def checkpoint(tmp_path: Path) -> bytes:
    return write(tmp_path / "whole.ckpt", tiny_checkpoint()).read_bytes()


def test_a_damaged_checkpoint(tmp_path: Path, checkpoint: bytes, seed: int) -> None:
    """Never half loaded: it is refused, or all that it holds is what was written."""
    original, path = tiny_checkpoint(), tmp_path / "damaged.ckpt"
    for generator in cases(seed):
        content = mutated(checkpoint, generator)
        path.write_bytes(content)
        try:
            loaded = read_checkpoint(path)
        except UserError as error:
            assert_told(path, error, content)
        else:
            assert loaded.keys() == original.keys()
            torch.testing.assert_close(loaded.pop("state_dict"), original["state_dict"], rtol=0, atol=0)
            assert loaded == {name: value for name, value in original.items() if name != "state_dict"}


def test_a_checkpoint_with_checksums_of_its_damage(tmp_path: Path, checkpoint: bytes, seed: int) -> None:
    """Somebody changed records, and made the checksums anew: what is not refused is tensors and plain values."""
    path = tmp_path / "forged.ckpt"
    with zipfile.ZipFile(io.BytesIO(checkpoint)) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    pickled = next(name for name in records if name.endswith("data.pkl"))
    for generator in cases(seed):
        name = pickled if generator.random() < 0.8 else generator.choice(sorted(records))
        forged = records | {name: mutated(records[name], generator)}
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            for each, content in forged.items():
                archive.writestr(zipfile.ZipInfo(each), content)
                archive.getinfo(each).external_attr = 0
        try:
            loaded = read_checkpoint(path)
        except UserError as error:
            assert_told(path, error, forged[name])
        else:
            assert_plain(loaded)


def assert_plain(value: object) -> None:
    if isinstance(value, dict):
        for key, entry in value.items():
            assert_plain(key)
            assert_plain(entry)
    elif isinstance(value, list | tuple | set):
        for entry in value:
            assert_plain(entry)
    else:
        plain = str | bytes | bytearray | int | float | complex | torch.Tensor | torch.dtype | torch.device | None
        assert isinstance(value, plain), value


PIECES = [b"\n", b"\r\n", b"\r", b"\t", b"\t", b"\0", b"\xef\xbb\xbf", "\u2028".encode(), b"\xff", b"\xc3", b" ",
          b"word", "fünf".encode(), "\U0001f600".encode(), b"\xed\xa0\x80", b"\x85", b"\x1e", b"\x1f\x8b"]  # fmt: skip


def noise(generator: random.Random) -> bytes:
    """What looks like text, or does not."""
    if generator.random() < 0.2:
        return generator.randbytes(generator.randrange(60))
    return b"".join(generator.choices(PIECES, k=generator.randrange(40)))


def lines_of(content: bytes) -> list[str]:
    """The lines by another way than the reader's; it fails where they are no text."""
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if not lines[-1]:
        lines.pop()
    texts = [line.removesuffix(b"\r").decode() for line in lines]
    if not texts or any(set("\0\u2028\u2029") & set(text) for text in texts):
        raise ValueError("no text")
    return texts


def test_a_tsv_of_noise(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "noise.tsv"
    for generator in cases(seed):
        content = noise(generator)
        path.write_bytes(content)
        try:
            lines = lines_of(content)
            expected = [tuple(line.split("\t")) if line else ("", "") for line in lines]
            good = all(len(pair) == 2 for pair in expected)
        except ValueError:
            good = False
        try:
            found = list(TsvFile(str(path)).pairs())
        except UserError as error:
            assert not good, content
            assert_told(path, error, content)
        else:
            assert good, content
            assert found == expected


def test_two_files_of_noise(tmp_path: Path, seed: int) -> None:
    """One of them may be compressed, and its compression damaged."""
    for generator in cases(seed):
        contents = [noise(generator), noise(generator)]
        paths, damaged = [], False
        for name, content in zip("ab", contents, strict=True):
            path = tmp_path / name
            if generator.random() < 0.5:
                path, written = tmp_path / f"{name}.gz", gzip.compress(content)
                if generator.random() < 0.5:
                    written, damaged = mutated(written, generator), True
            else:
                written = content
            path.write_bytes(written)
            paths.append(path)
        try:
            sides = [lines_of(content) for content in contents]
            good = len(sides[0]) == len(sides[1])
        except ValueError:
            good = False
        try:
            found = list(TextFiles(*map(str, paths)).pairs())
        except UserError as error:
            assert damaged or not good, contents
            assert_told(next((path for path in paths if str(path) in str(error)), tmp_path), error, contents[0])
        else:
            assert damaged or (good and found == list(zip(*sides, strict=True))), contents
