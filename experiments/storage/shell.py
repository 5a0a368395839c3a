"""Paths and commands as a person types them into a shell: what is printed can be pasted."""

from __future__ import annotations

import shlex
from pathlib import Path


def shown(path: Path) -> Path:
    """A path as a person would write it: relative to the working directory where it lies below it."""
    try:
        return path.absolute().relative_to(Path.cwd())
    except ValueError:
        return path


def quoted(path: Path) -> str:
    """A path as a word of a shell: as :func:`shown`, in quotes where it has spaces or the like."""
    return shlex.quote(str(shown(path)))


def command(*words: str | Path) -> str:
    """A command as a shell takes it.

    Args:
        words: Each a word as the program gets it; a path as :func:`quoted`.
    """
    return " ".join(quoted(word) if isinstance(word, Path) else shlex.quote(word) for word in words)
