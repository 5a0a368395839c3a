"""Lines of text that the tools read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeVar

from datamodules.errors import UserError, suggest
from experiments.tools.translation.line_faults import LineFaults

WINDOW_BATCHES = 20
"""Batches that are read at once and sorted by length, so that little is padded."""

_BOM = b"\xef\xbb\xbf"

Item = TypeVar("Item")


def open_input(option: str, path: Path) -> BinaryIO:
    """Opens a file to read.

    Args:
        option: The option that names it, for errors.
        path: The file.

    Raises:
        UserError: It does not exist, or cannot be read.
    """
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        there = [other.name for other in path.parent.glob("*")]
        hint = suggest(path.name, there) if get_close_matches(path.name, there) else "check the path"
        raise UserError(f"{option} {path} does not exist: {hint}") from error
    except OSError as error:
        raise UserError(f"{option} {path} cannot be read: {error.strerror}") from error


def read_lines(stream: BinaryIO, name: str, faults: LineFaults) -> Iterator[str]:
    """The lines of a stream, without their ends, which are newlines and nothing else.

    Args:
        stream: What is read.
        name: What it is called, for errors.
        faults: Makes text of each line.

    Raises:
        UserError: A line is not UTF-8, and ``faults`` is strict.
    """
    for number, raw in enumerate(stream, start=1):
        line = raw.removeprefix(_BOM) if number == 1 else raw
        yield faults.decode(line.removesuffix(b"\n").removesuffix(b"\r"), name, number)


def count_lines(path: Path | None) -> int | None:
    """The lines of a file; None of what can be read only once."""
    if path is None or not path.is_file():
        return None
    with path.open("rb") as file:
        return sum(1 for _ in file)


def windows(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items, so many at once."""
    iterator = iter(items)
    while window := list(islice(iterator, size)):
        yield window
