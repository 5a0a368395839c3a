"""Which values the colours of a map stand for: the whole range where it is used, else what there is of it, and said."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

WHOLE_FROM = 0.5
"""From this largest value on, a map has the colours of the whole range, so that maps of several steps compare."""

ALIKE = 1e-3
"""Values that differ by less than this share of the largest are alike: colours would show how numbers are rounded."""


@dataclass(frozen=True)
class ColourRange:
    """What the colours of a map stand for.

    Attributes:
        low: The value of the first colour.
        high: The value of the last colour.
        words: What a reader has to know of the range; empty where it is the whole.
        digits: Decimals with which values of the map can be told apart.
    """

    low: float
    high: float
    words: str = ""
    digits: int = 2

    @property
    def is_whole(self) -> bool:
        """Whether it is the same in every map whose values use it."""
        return self.high >= 1.0


def weight_colours(weights: np.ndarray) -> ColourRange:
    """The range for attention weights: 0 to 1, or, where all are small, from the smallest above 0 to the largest.

    Args:
        weights: None of them negative; those that are 0 have a colour of their own.
    """
    positive = weights[weights > 0]
    low, high = (float(positive.min()), float(positive.max())) if positive.size else (0.0, 1.0)
    if high >= WHOLE_FROM:
        return ColourRange(0.0, max(1.0, high))
    if high - low <= ALIKE * high:
        return ColourRange(0.0, 1.0, f"every weight is {high:.3g}", digits=3)
    digits = _digits(high - low)
    return ColourRange(low, high, f"colours from {low:.{digits}f} to {high:.{digits}f}", digits)


def state_colours(states: np.ndarray) -> ColourRange:
    """The range for hidden states: -1 to 1, or, where all are small, from minus to plus the largest.

    Args:
        states: The hidden states, of any shape and either sign.
    """
    high = float(np.abs(states).max())
    if high >= WHOLE_FROM or high == 0.0:
        return ColourRange(-1.0, 1.0)
    digits = _digits(high)
    return ColourRange(-high, high, f"colours from {-high:.{digits}f} to {high:.{digits}f}", digits)


def _digits(span: float) -> int:
    """Decimals that show a tenth of a span, at least two."""
    return max(2, 1 - math.floor(math.log10(span)))
