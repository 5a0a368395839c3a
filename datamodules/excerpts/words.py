"""Excerpts of words, which stand between white space."""

from __future__ import annotations

from abc import abstractmethod

from datamodules.excerpts.excerpt import Excerpt, checked_count


class _Words(Excerpt):
    """So many words; the spaces of a source that has no more stay as they are.

    Args:
        words: The most that are read.

    Raises:
        UserError: It is below 1.
    """

    _end: str

    def __init__(self, words: int) -> None:
        self.words = checked_count(self, "words", words, 1)

    @abstractmethod
    def _kept(self, words: list[str]) -> list[str]:
        """Those of a long source."""

    def of(self, source: str) -> str:
        """See :meth:`Excerpt.of`."""
        return " ".join(self._kept(source.split())) if self.cuts(source) else source

    def cuts(self, source: str) -> bool:
        """See :meth:`Excerpt.cuts`."""
        return len(source.split()) > self.words

    @property
    def told(self) -> str:
        """See :attr:`Excerpt.told`."""
        return f"cut to their {self._end} {self.words:,} words"

    def settings(self) -> dict[str, int]:
        """See :meth:`Excerpt.settings`."""
        return {"words": self.words}


class FirstWords(_Words):
    """The beginning of a source: of descriptions and articles, which say first what matters most.

    Args:
        words: The most words that are read.

    Raises:
        UserError: It is below 1.
    """

    _end = "first"

    def _kept(self, words: list[str]) -> list[str]:
        return words[: self.words]


class LastWords(_Words):
    """The end of a source: of what was said before, where the last words matter most.

    Args:
        words: The most words that are read.

    Raises:
        UserError: It is below 1.
    """

    _end = "last"

    def _kept(self, words: list[str]) -> list[str]:
        return words[-self.words :]
