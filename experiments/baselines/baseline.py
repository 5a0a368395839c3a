"""What every baseline offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence


class Baseline(ABC):
    """Writes a hypothesis for a source by a rule, as text: no tokenizer stands between."""

    @abstractmethod
    def learn(self, sources: Sequence[str], targets: Sequence[str]) -> None:
        """Takes from the training pairs what the rule needs.

        Args:
            sources: Raw text.
            targets: Their targets, as many.
        """

    @abstractmethod
    def write(self, source: str) -> str:
        """The hypothesis.

        Args:
            source: Raw text, of any split.
        """
