"""Files that appear under their name whole, or not at all, through a kill or a loss of power as well."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from datamodules.errors import RunFailed

if TYPE_CHECKING:
    from typing_extensions import Buffer

PARTIAL_SUFFIX = ".seqlab-partial"
"""The end of the name that a file has until it is whole; a dot stands before the name."""


class _RecordingFile(io.FileIO):
    """A raw file that keeps its first error: a writer in C++ passes on only that something failed.

    Attributes:
        failure: The first error of a write.
    """

    failure: OSError | None = None

    def write(self, data: Buffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.failure = self.failure or error
            raise


@contextlib.contextmanager
def durable_write(path: Path) -> Iterator[BinaryIO]:
    """Opens a file that takes its name when the block ends without an error.

    It is written under another name in the same directory, synced to the disk and renamed. Whatever happens before the
    rename (an error, a full disk, a kill), the path keeps what it held. What a killed process left is removed by the
    next call in the same directory; what a living one is writing is locked, and stays.

    Args:
        path: The name; a file of that name is replaced. Its directory must exist.

    Yields:
        The file to write to.

    Raises:
        RunFailed: The disk is full, or the file cannot be written for another reason.
    """
    try:
        _remove_leftovers(path.parent)
        raw = _open_partial(path)
    except OSError as error:
        raise _failed(path, error) from error
    file = io.BufferedWriter(raw)
    try:
        yield file
        _finish(file, Path(str(raw.name)), path)
    except BaseException as error:
        with contextlib.suppress(OSError):  # what ended the write is what is told
            Path(str(raw.name)).unlink()
        if raw.failure is not None:
            raise _failed(path, raw.failure) from error
        raise
    finally:
        with contextlib.suppress(OSError):  # after a failed write, closing tries it once more
            file.close()


def _failed(path: Path, error: OSError) -> RunFailed:
    return RunFailed(f"cannot write {path}: {error.strerror}; what was there before is untouched")


def _finish(file: BinaryIO, partial: Path, path: Path) -> None:
    """Syncs and renames; the file is still open, for its lock."""
    try:
        file.flush()
        os.fsync(file.fileno())
        partial.replace(path)
        _sync_directory(path.parent)
    except OSError as error:
        raise _failed(path, error) from error


def _sync_directory(directory: Path) -> None:
    """Makes a rename last through a loss of power, where the file system can sync directories."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def _open_partial(path: Path) -> _RecordingFile:
    """A new, locked file beside the path."""
    while True:
        raw = _RecordingFile(path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL_SUFFIX}"), "xb")
        try:
            fcntl.flock(raw, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raw.close()  # another process took it for a leftover before the lock was here
            continue
        except OSError:
            return raw  # a file system without locks, on which leftovers are never removed
        if os.fstat(raw.fileno()).st_nlink:
            return raw
        raw.close()


def _remove_leftovers(directory: Path) -> None:
    """Removes partial files that no living process has locked; those that cannot be removed are no harm."""
    for partial in directory.glob(f".*{PARTIAL_SUFFIX}"):
        with contextlib.suppress(OSError), partial.open("r+b") as file:  # locked, or not ours
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            partial.unlink()
