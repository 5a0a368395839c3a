"""What every excerpt offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from datamodules.errors import UserError


class Excerpt(ABC):
    """How much of a source is read, in training, in tests and of what a trained model is given.

    An excerpt of an excerpt is the excerpt itself.
    """

    @abstractmethod
    def of(self, source: str) -> str:
        """The part of a source that is read.

        Args:
            source: Raw text.
        """

    @abstractmethod
    def cuts(self, source: str) -> bool:
        """Whether a source is longer than what it may be, which is told.

        Args:
            source: Raw text.
        """

    @property
    @abstractmethod
    def told(self) -> str:
        """Words for what became of the sources that were too long: "cut to their first 128 words"."""

    @abstractmethod
    def settings(self) -> Mapping[str, Any]:
        """The constructor's arguments by name."""


def checked_count(excerpt: Excerpt, name: str, count: int, least: int) -> int:
    """A number of words or turns.

    Args:
        excerpt: Whose it is, for the error.
        name: Its name.
        count: The number.
        least: The smallest that there may be.

    Raises:
        UserError: It is smaller.
    """
    if count < least:
        raise UserError(f"{name} of {type(excerpt).__name__} is {count}: give at least {least}")
    return count
