"""Phrases that come back: found as by looking at all pairs, and weights summed where they were."""

from __future__ import annotations

import random

import numpy as np
import pytest

from experiments.callbacks.symbols.phrase_returns import _sums, returns


def test_returns_are_those_that_a_look_at_all_pairs_finds(seed: int) -> None:
    draw = random.Random(seed)
    groups = [[draw.randrange(2), draw.randrange(2)] for _ in range(30)]
    for length in (1, 2, 3):
        expected = {}
        for end in range(length - 1, 30):
            phrase = groups[end - length + 1 : end + 1]
            earlier = [at for at in range(length - 1, end) if groups[at - length + 1 : at + 1] == phrase]
            if earlier:
                expected[end] = earlier
        assert returns(groups, length) == expected


def test_weights_at_a_return() -> None:
    source = [1, 2, 3, 1, 2, 4]  # the phrase 1 2 ends at 1, and comes back at 4
    weights = np.zeros((12, 7))
    weights[8] = [0.0, 0.5, 0.0, 0.0, 0.3, 0.2, 0.0]
    weights[9] = [0.1, 0.3, 0.0, 0.0, 0.6, 0.0, 0.0]
    found = _sums(weights, source, sources=1, targets=2, length=2)
    assert found.tokens == 2
    assert (found.own, found.earlier, found.even) == pytest.approx((0.9, 0.8, 2 / 7))
