"""Kendall's tau against pairs that are counted one by one."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from experiments.metrics.rank_correlation import kendall


def by_pairs(one: list[float], other: list[float]) -> float:
    score, ties = 0, [0, 0]
    for i, j in itertools.combinations(range(len(one)), 2):
        signs = [math.copysign(1, side[i] - side[j]) if side[i] != side[j] else 0 for side in (one, other)]
        score += int(signs[0] * signs[1])
        ties = [count + abs(int(sign)) for count, sign in zip(ties, signs, strict=True)]
    return score / math.sqrt(ties[0] * ties[1]) if ties[0] * ties[1] else 0.0


def test_it_is_what_pairs_say(seed: int) -> None:
    torch.manual_seed(seed)
    lengths = torch.randint(0, 9, (50,))
    mask = torch.arange(8) < lengths[:, None]
    one, other = (torch.randint(0, 5, (50, 8)).double() for _ in range(2))  # with ties
    expected = [
        by_pairs(one[row, :length].tolist(), other[row, :length].tolist())
        for row, length in enumerate(lengths.tolist())
    ]
    assert kendall(one, other, mask).tolist() == pytest.approx(expected)


def test_known_values() -> None:
    """The last one is 8 pairs alike and 2 otherwise, of 10."""
    one = torch.tensor([[1.0, 2, 3, 4, 5]] * 3)
    other = torch.tensor([[1.0, 2, 3, 4, 5], [5, 4, 3, 2, 1], [2, 1, 3, 5, 4]])
    assert kendall(one, other, torch.ones(3, 5) > 0).tolist() == pytest.approx([1, -1, 0.6])
