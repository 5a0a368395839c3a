"""A disk that is full at some size, or read-only, for real: root ignores permissions, and a limit is no disk."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, kibibytes: int) -> Iterator[Path]:
    """Mounts an empty file system of that size; the test is skipped where nobody may mount."""
    folder.mkdir(parents=True, exist_ok=True)
    with _mounted(folder, "-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs", str(folder)):
        yield folder


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nothing can be written into a folder; the test is skipped where nobody may mount."""
    with _mounted(folder, "--bind", str(folder), str(folder)):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)
        yield


def resize(folder: Path, kibibytes: int) -> None:
    """Makes a :func:`small_disk` larger."""
    subprocess.run(["mount", "-o", f"remount,size={kibibytes}k", str(folder)], check=True)


@contextmanager
def _mounted(folder: Path, *arguments: str) -> Iterator[None]:
    if os.geteuid() != 0 or subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a file system, and not in every container")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
