"""Excerpts of dialogues: the last turns, each opened by the marker of who speaks."""

from __future__ import annotations

import re
from collections.abc import Sequence

from datamodules.errors import UserError
from datamodules.excerpts.excerpt import Excerpt, checked_count
from datamodules.excerpts.words import LastWords

MARKERS = ("<usr>", "<sys>")
"""Of whom is answered, and of who answers."""


class LastTurns(Excerpt):
    """The last turns of a dialogue: ``<usr> hello <sys> hello , how can I help ? <usr> a table for two``.

    What stands before the first marker is no turn, and is read whole, such as what the answer has to say.

    Args:
        turns: The most turns that are read, the last ones; 0 for none.
        turn_words: The most words of a turn, the last ones; of a longer turn its beginning is cut off, which is told.
        markers: What opens a turn of whom is answered, and one of who answers.

    Raises:
        UserError: ``turns`` is below 0 or ``turn_words`` below 1, or the markers are not two words.
    """

    def __init__(self, turns: int = 5, turn_words: int = 60, markers: Sequence[str] = MARKERS) -> None:
        self.turns = checked_count(self, "turns", turns, 0)
        self.turn_words = checked_count(self, "turn_words", turn_words, 1)
        self.markers = tuple(markers)
        if len(set(self.markers)) != 2 or any(len(marker.split()) != 1 for marker in self.markers):
            raise UserError(f"markers of LastTurns are {list(markers)}: give two words, as {list(MARKERS)}")
        one, other = map(re.escape, self.markers)
        self._marker = re.compile(rf"(?<!\S)({one}|{other})(?!\S)")
        self._short = LastWords(turn_words)

    def of(self, source: str) -> str:
        """See :meth:`Excerpt.of`; white space between turns becomes one space."""
        before, turns = self.parted(source)
        kept = turns[len(turns) - self.turns :] if self.turns < len(turns) else turns
        return self.joined(before, [(marker, self._short.of(words)) for marker, words in kept])

    def cuts(self, source: str) -> bool:
        """Whether a turn that is read is longer than it may be; that earlier turns are left out is the setting."""
        _, turns = self.parted(source)
        return any(self._short.cuts(words) for _, words in turns[max(0, len(turns) - self.turns) :])

    @property
    def told(self) -> str:
        """See :attr:`Excerpt.told`."""
        return f"cut to the last {self.turn_words:,} words of each turn"

    def parted(self, source: str) -> tuple[str, list[tuple[str, str]]]:
        """What stands before the turns, and each turn: its marker and its words.

        Args:
            source: Raw text.
        """
        before, *parts = self._marker.split(source)
        return before.strip(), [(marker, words.strip()) for marker, words in zip(parts[::2], parts[1::2], strict=True)]

    @staticmethod
    def joined(before: str, turns: Sequence[tuple[str, str]]) -> str:
        """A source of its parts, which :meth:`parted` gives back.

        Args:
            before: What stands before the turns.
            turns: Marker and words of each.
        """
        return " ".join(filter(None, (before, *(part for turn in turns for part in turn))))

    def settings(self) -> dict[str, object]:
        """See :meth:`Excerpt.settings`."""
        return {"turns": self.turns, "turn_words": self.turn_words, "markers": list(self.markers)}
