"""The beginning of a text as its summary."""

from __future__ import annotations

import re
from collections.abc import Sequence

from datamodules.errors import UserError
from experiments.baselines.baseline import Baseline

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")

_SUBJECT = re.compile(r"^.{0,80}?\b(?:is|are|provides|contains)\s+(?:(?:an?|the)\s+)?", re.IGNORECASE)
"""What stands before that which something is: ``Dato is a``."""


class FirstSentence(Baseline):
    """The first sentence of a source, or its first words.

    Args:
        words: The most words that are kept; null for the whole sentence.
        strip_subject: Whether ``X is a`` is left out at its beginning, and the full stop at its end.

    Raises:
        UserError: ``words`` is below 1.
    """

    def __init__(self, words: int | None = None, strip_subject: bool = False) -> None:
        if words is not None and words < 1:
            raise UserError(f"words of FirstSentence is {words}: give at least 1")
        self.words = words
        self.strip_subject = strip_subject

    def learn(self, sources: Sequence[str], targets: Sequence[str]) -> None:
        """There is nothing to learn."""

    def write(self, source: str) -> str:
        """See :meth:`Baseline.write`."""
        sentence = _SENTENCE_END.split(source.strip(), maxsplit=1)[0]
        if self.strip_subject:
            sentence = _SUBJECT.sub("", sentence).rstrip(".") or sentence
        return " ".join(sentence.split()[: self.words])
