"""How many sources of a corpus were too long, counted while they are read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from datamodules.batch import Split
from datamodules.excerpts.excerpt import Excerpt

_COUNTS = "cut.json"


class CountedSources(Iterable[tuple[str, str]]):
    """Pairs with the excerpts of their sources.

    Args:
        pairs: (source, target) sentences; to be read once.
        excerpt: What is read of each source.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]], excerpt: Excerpt) -> None:
        self._pairs = pairs
        self._excerpt = excerpt
        self._cut = self._first = 0

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for number, (source, target) in enumerate(self._pairs, start=1):
            if self._excerpt.cuts(source):
                self._cut += 1
                self._first = self._first or number
            yield self._excerpt.of(source), target

    def write(self, directory: Path) -> None:
        """Keeps the counts, once all pairs were read; :func:`cut_remark` tells them.

        Args:
            directory: Where the corpus lies.
        """
        (directory / _COUNTS).write_text(json.dumps([self._cut, self._first]), encoding="utf-8")


def cut_remark(directory: Path, split: Split, excerpt: Excerpt, where: Callable[[Split, int], str]) -> Iterator[str]:
    """A line on the sources that were too long, where there are any.

    Args:
        directory: Where the corpus lies.
        split: Whose sources these are.
        excerpt: What was read of each.
        where: Words where the pair of a number stands.
    """
    count, first = json.loads((directory / _COUNTS).read_text(encoding="utf-8"))
    if count:
        yield f"{split}: {count:,} sources {excerpt.told} (the first in {where(split, first)})"
