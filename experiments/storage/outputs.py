"""Where a command may write: outputs that have a place, and are no file that the command reads."""

from __future__ import annotations

import argparse
import contextlib
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from datamodules.errors import RunFailed, UserError

STANDARD_INPUT = ("standard input", Path("/dev/stdin"))
STANDARD_OUTPUT = ("standard output", Path("/dev/stdout"))
"""What a shell may have opened a file as: each an option and a file, as :func:`check_outputs` takes them."""


def add_overwrite_option(parser: argparse.ArgumentParser) -> None:
    """Adds ``--overwrite``, the last argument of :func:`check_outputs`."""
    parser.add_argument(
        "--overwrite", action="store_true", help="let an output replace a text that is read, once all of it was"
    )


def check_outputs(
    inputs: Iterable[tuple[str, Path]],
    outputs: Mapping[str, Path | None],
    replaceable: Iterable[tuple[str, Path]] = (),
    overwrite: bool = False,
) -> None:
    """Refuses outputs that have no place, or are another file of the command, be it by a link.

    Devices and pipes are nobody's own: several options may name one.

    Args:
        inputs: Each option and a file that it names.
        outputs: The file of each option; None where it was not given.
        replaceable: More inputs, which a whole new file may replace when they have been read, if the user says so.
        overwrite: The user does.

    Raises:
        UserError: An output cannot be written there.
    """
    taken = {_identity(path): option for option, path in inputs}
    read = {_identity(path): option for option, path in replaceable}
    for option, path in outputs.items():
        if path is None:
            continue
        is_stream = (option, path) == STANDARD_OUTPUT
        told = option if is_stream else f"{option} {path}"
        if path.is_dir():
            raise UserError(f"{told} is a directory: give a file in it")
        if not path.resolve().parent.is_dir():
            raise UserError(f"{told}: the directory {path.parent} does not exist, make it first")
        identity = _identity(path)
        if identity is None:
            continue
        if identity in taken:
            raise UserError(f"{told} is also {taken[identity]}: give it a file of its own")
        if identity in read and (is_stream or not overwrite):
            hint = "" if is_stream else f", or --overwrite to replace {read[identity]}"
            raise UserError(f"{told} is also {read[identity]}: give it a file of its own{hint}")
        taken[identity] = option


def _identity(path: Path) -> tuple[int, int] | Path | None:
    """What two names of one file share; None of a device or a pipe."""
    try:
        found = path.stat()
    except OSError:  # it is not there yet, or cannot be looked at
        return path.resolve()
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None


def open_output(path: Path) -> contextlib.AbstractContextManager[BinaryIO]:
    """A file that appears when it is whole; a device or a pipe is written to as it is."""
    from experiments.storage.durable import durable_write

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
