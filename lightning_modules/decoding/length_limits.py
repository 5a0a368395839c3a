"""How long a hypothesis may become, where a search is given no limit of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightning_modules.decoding.prefixes import Integers

UNKNOWN_LONGEST = 100
"""Tokens of a hypothesis where nothing is known of the training pairs."""

UNKNOWN_RATIO = 2.0
"""Likewise for each source token: a hypothesis may have the more of both."""

LONGER_TARGETS = 2.0
"""A hypothesis may be so many times as long as the longest target in training, for a test set may ask for more."""

LONGER_RATIOS = 1.25
"""And have so many times the most target tokens for each source token."""

FURTHER_TOKENS = 10
"""And as many more: of short sentences a ratio says little."""


@dataclass(frozen=True)
class LengthLimits:
    """What the training pairs suggest.

    Args:
        longest_target: Tokens of the longest target in training; None where it is not known.
        longest_ratio: The most target tokens for each source token, EOS counted; None where it is not known.
    """

    longest_target: int | None
    longest_ratio: float | None

    def of(self, source_lengths: Integers) -> Integers:
        """The most tokens of a hypothesis of each source, EOS not counted.

        Args:
            source_lengths: ``(batch,)``, EOS counted.
        """
        if self.longest_target is None or self.longest_ratio is None:
            return np.maximum(UNKNOWN_LONGEST, by_ratio(source_lengths, UNKNOWN_RATIO))
        longest = int(LONGER_TARGETS * self.longest_target) + FURTHER_TOKENS
        return by_ratio(source_lengths, LONGER_RATIOS * self.longest_ratio).clip(max=longest)


def by_ratio(source_lengths: Integers, ratio: float) -> Integers:
    """So many tokens for each of the source, and a few more.

    Args:
        source_lengths: ``(batch,)``, EOS counted.
        ratio: Target tokens for each source token.
    """
    limits: Integers = (source_lengths * ratio + FURTHER_TOKENS).astype(np.int64)
    return limits
