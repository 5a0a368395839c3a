"""Some lines of a file, by their numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from datamodules.errors import UserError

Item = TypeVar("Item")


@dataclass(frozen=True)
class Lines:
    """The lines of a file from one to another, as where a corpus is published in one file and parted by position.

    Args:
        first: Number of the first line, counted from 1.
        last: Number of the last one, which belongs to them; null for the last of the file.
    """

    first: int = 1
    last: int | None = None

    def check(self, key: str) -> None:
        """Refuses what no file has.

        Args:
            key: The config key, for errors.

        Raises:
            UserError: There is no line of such a number, or the last stands before the first.
        """
        if self.first < 1:
            raise UserError(f"{key}.first is {self.first}: lines are counted from 1")
        if self.last is not None and self.last < self.first:
            raise UserError(f"{key}.last is {self.last:,}, before the first, {self.first:,}: both belong to the lines")

    def of(self, items: Iterable[Item], place: str) -> Iterator[Item]:
        """What belongs to these lines.

        Args:
            items: What each line of the file holds; all of them are read.
            place: The file, for errors.

        Raises:
            UserError: The file ends before.
        """
        number = 0
        for number, item in enumerate(items, start=1):
            if self.first <= number and (self.last is None or number <= self.last):
                yield item
        name, needed = ("first", self.first) if self.last is None else ("last", self.last)
        if number < needed:
            raise UserError(f"{place}: lines.{name} is {needed:,}, but there are {number:,} lines: name no more")

    def overlaps(self, other: Lines) -> bool:
        """Whether a line belongs to both."""
        return (other.last is None or self.first <= other.last) and (self.last is None or other.first <= self.last)
