"""Lines of text in and out of the tools."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeVar

from datamodules.corpus import FORBIDDEN
from datamodules.errors import RunFailed, UserError, suggest

WINDOW_BATCHES = 20
"""Batches that are read at once and sorted by length, so that little is padded."""

_BOM = b"\xef\xbb\xbf"
_READ_AS_SPACE = str.maketrans(dict.fromkeys(FORBIDDEN, " "))

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


def read_lines(stream: BinaryIO, name: str) -> Iterator[str]:
    """The lines of a stream, without their ends, which are newlines and nothing else.

    What no training text has, since other programs take it for the end of a line or of the text, is read as a space:
    NUL, U+2028 and U+2029. So a line stays a line, and one odd character does not cost the others their translation.

    Args:
        stream: What is read.
        name: What it is called, for errors.

    Raises:
        UserError: A line is not UTF-8.
    """
    for number, raw in enumerate(stream, start=1):
        line = raw.removeprefix(_BOM) if number == 1 else raw
        try:
            yield line.removesuffix(b"\n").removesuffix(b"\r").decode().translate(_READ_AS_SPACE)
        except UnicodeDecodeError as error:
            raise UserError(
                f"{name}, line {number}: byte {error.start + 1} ({line[error.start]:#04x}) is not UTF-8; "
                "convert the text, for example with iconv"
            ) from error


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


def check_outputs(inputs: Iterable[tuple[str, Path]], outputs: Mapping[str, Path | None]) -> None:
    """Refuses outputs that have no place, or would replace another file of the command.

    Args:
        inputs: Each option and a file that it names.
        outputs: The file of each option; None where it was not given.

    Raises:
        UserError: An output cannot be written there.
    """
    taken = {path.resolve(): option for option, path in inputs}
    for option, path in outputs.items():
        if path is None:
            continue
        if path.is_dir():
            raise UserError(f"{option} {path} is a directory: give a file in it")
        if not path.resolve().parent.is_dir():
            raise UserError(f"{option} {path}: the directory {path.parent} does not exist, make it first")
        if path.resolve() in taken:
            raise UserError(f"{option} {path} is also {taken[path.resolve()]}: give it a file of its own")
        taken[path.resolve()] = option


def open_output(path: Path) -> contextlib.AbstractContextManager[BinaryIO]:
    """A file that appears when it is whole; a device or a pipe is written to as it is."""
    from experiments.runs.durable import durable_write

    return _device(path) if path.exists() and not path.is_file() else durable_write(path.resolve())


@contextlib.contextmanager
def _device(path: Path) -> Iterator[BinaryIO]:
    """A device or a pipe, opened as it is."""
    file = path.open("wb")
    try:
        yield file
    finally:
        with contextlib.suppress(OSError):  # every write was flushed; closing tries a failed one once more
            file.close()


def write(output: BinaryIO, data: bytes) -> None:
    """Writes and flushes.

    Raises:
        BrokenPipeError: Nobody reads the output any more.
        RunFailed: It cannot be written for another reason.
    """
    try:
        output.write(data)
        output.flush()
    except OSError as error:
        if output is sys.stdout.buffer:
            # What is still buffered goes nowhere: the interpreter would try, and complain, once more at its end.
            with Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), output.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise RunFailed(f"cannot write the output: {error.strerror}") from error
