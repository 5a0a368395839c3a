"""Folders that appear under their name whole, or not at all."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datamodules.errors import RunFailed, UserError
from experiments.storage.durable import PARTIAL_SUFFIX


def check_folder(path: Path, overwrite: bool) -> None:
    """Refuses a folder that cannot be made, before what it is to hold is.

    Args:
        path: The folder.
        overwrite: Whether its files may be replaced.

    Raises:
        UserError: It is a file, has files already, or stands in a directory that does not exist.
    """
    if path.exists() and not path.is_dir():
        raise UserError(f"--output {path} is a file: give a folder")
    if path.is_dir() and any(path.iterdir()) and not overwrite:
        raise UserError(f"--output {path} has files already: give another folder, or --overwrite to replace them")
    if not path.absolute().parent.is_dir():
        raise UserError(f"--output {path}: the directory {path.parent} does not exist: make it first")


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Gives a folder to write into, whose files take their place when the block ends without an error.

    Of a folder that is there already, files of the same names are replaced, and others stay.

    Args:
        path: See :func:`check_folder`.

    Yields:
        An empty folder beside it; whatever goes wrong, nothing of it is left.

    Raises:
        RunFailed: It cannot be written.
    """
    partial = path.absolute().with_name(f".{path.absolute().name}.{secrets.token_hex(4)}{PARTIAL_SUFFIX}")
    try:
        partial.mkdir()
        yield partial
        if path.is_dir():
            for file in partial.iterdir():
                file.replace(path / file.name)
        else:
            partial.rename(path)
    except OSError as error:
        raise RunFailed(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if partial.exists():
            shutil.rmtree(partial)
