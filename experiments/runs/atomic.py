"""Files that are whole or not there: written beside their target, synced and renamed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from datamodules.errors import RunFailed


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Opens a file beside ``path``, which takes its place when it was written to the end.

    Args:
        path: The target, in a directory that exists.

    Yields:
        The open file.

    Raises:
        RunFailed: The disk is full, or the file cannot be written for another reason; what stood at ``path`` is as it
            was.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except (OSError, RuntimeError) as error:
        refusal = _refusal(error)
        if refusal is None:
            raise
        raise RunFailed(f"cannot write {path}: {refusal}; what was there before is whole") from error
    finally:
        partial.unlink(missing_ok=True)


def _refusal(error: BaseException | None) -> str | None:
    """What the system said, also where torch.save hides it: its RuntimeError came up while an OSError was handled."""
    while error is not None and not isinstance(error, OSError):
        error = error.__context__
    return None if error is None else error.strerror or str(error)
