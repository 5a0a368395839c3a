"""Intervals and Holm's correction, against tables, against another way, and against what they promise."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from experiments.studies.statistics import (
    Paired,
    holm_differences,
    least_deviation,
    needed_pairs,
    summary,
    t_interval,
    t_quantile,
)


@pytest.mark.parametrize(
    ("level", "freedom", "expected"),
    # From the t tables that every textbook prints.
    [(0.05, 1, 12.706), (0.05, 2, 4.303), (0.05, 4, 2.776), (0.05, 9, 2.262), (0.05, 30, 2.042), (0.01, 4, 4.604),
     (0.001, 2, 31.599), (0.1, 120, 1.658)],
)  # fmt: skip
def test_quantiles_are_those_of_the_tables(level: float, freedom: int, expected: float) -> None:
    assert t_quantile(level, freedom) == pytest.approx(expected, abs=5e-4)


def test_quantiles_at_the_levels_of_large_families() -> None:
    """With one and two degrees of freedom the quantile has a closed form; with more it is smaller, down to normal."""
    for comparisons in (1, 2, 3, 7, 30, 100, 1000):
        level = 0.05 / comparisons
        assert t_quantile(level, 1) == pytest.approx(1 / math.tan(math.pi * level / 2), rel=1e-9)
        t = t_quantile(level, 2)
        assert 1 - t / math.sqrt(2 + t * t) == pytest.approx(level, rel=1e-6)
        quantiles = [t_quantile(level, freedom) for freedom in (1, 2, 3, 4, 9, 40)]
        assert quantiles == sorted(quantiles, reverse=True)


def test_summary_and_interval_by_hand() -> None:
    found = summary([1.0, 2.0, 4.0, 5.0])
    assert (found.mean, found.count) == (3.0, 4)
    assert found.deviation == pytest.approx(math.sqrt(10 / 3))
    low, high = t_interval([1.0, 2.0, 4.0, 5.0])
    half = 3.182446 * math.sqrt(10 / 3) / 2
    assert (low, high) == (pytest.approx(3 - half, abs=1e-5), pytest.approx(3 + half, abs=1e-5))


def p_value(differences: Sequence[float]) -> float:
    """The paired t-test's, by integrating the density."""
    n = len(differences)
    t = abs(np.mean(differences)) / (np.std(differences, ddof=1) / math.sqrt(n))
    angles = np.linspace(math.atan(t / math.sqrt(n - 1)), math.pi / 2, 20_001)
    # With t = sqrt(v) tan(a), the density over a is proportional to cos(a) ** (v - 1).
    density = math.gamma(n / 2) / (math.sqrt(math.pi) * math.gamma((n - 1) / 2)) * np.cos(angles) ** (n - 2)
    return float(2 * np.trapezoid(density, angles))


def test_what_is_told_apart_is_what_holm_rejects(seed: int) -> None:
    """Against Holm's adjusted p-values: the running maximum of (m - i + 1) p_i."""
    generator = np.random.default_rng(seed)
    for _ in range(60):
        count, seeds = int(generator.integers(1, 8)), int(generator.integers(2, 8))
        effects = generator.choice([0.0, 0.5, 1.0, 3.0, 8.0], size=(count, 1))
        families = generator.normal(effects, 1.0, size=(count, seeds)).tolist()
        p_values = [p_value(differences) for differences in families]
        order = np.argsort(p_values)
        adjusted = np.maximum.accumulate([(count - rank) * p_values[place] for rank, place in enumerate(order)])
        rejected = dict(zip(order.tolist(), (adjusted <= 0.05).tolist(), strict=True))
        found = holm_differences([Paired(family) for family in families])
        assert [each.significant for each in found] == [rejected[place] for place in range(count)]


def test_one_comparison_has_the_plain_interval_and_several_have_wider_ones() -> None:
    clear, unclear = [5.0, 5.1, 4.9], [0.1, -0.2, 0.2]
    (alone,) = holm_differences([Paired(unclear)])
    assert (alone.low, alone.high) == t_interval(unclear)
    assert alone.confidence == pytest.approx(0.95)
    first, second, third = holm_differences([Paired(each) for each in (unclear, clear, [-0.2, 0.2, 0.3])])
    assert (second.low, second.high) == t_interval(clear, 0.05 / 3)
    assert second.significant
    assert (first.low, first.high) == t_interval(unclear, 0.05 / 2)
    assert third.confidence == first.confidence, "what comes after the first that is not told apart has its level"


def test_one_seed_has_no_interval_and_equal_values_are_not_told_apart() -> None:
    single, none, always = holm_differences([Paired(each) for each in ([3.0], [0.0] * 3, [0.5] * 3)])
    assert (single.mean, single.low, single.significant) == (3.0, None, False)
    assert not none.significant
    assert always.significant
    assert always.confidence == pytest.approx(1 - 0.05 / 2), "a comparison that cannot be tested counts for no other"


def test_at_most_one_study_in_twenty_finds_what_is_not_there(seed: int) -> None:
    """Four variants against a first one, two of them no better: one is called told apart in at most 5 percent."""
    generator = np.random.default_rng(seed)
    studies, false, missed = 800, 0, 0
    for _ in range(studies):
        first = generator.normal(size=4)
        effects = np.array([0.0, 0.0, 2.0, 30.0])[:, None]
        families = (generator.normal(effects, 1.0, size=(4, 4)) - first).tolist()
        found = holm_differences([Paired(family) for family in families])
        false += any(each.significant for each in found[:2])
        missed += not found[3].significant
    assert false / studies <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / studies)
    assert missed / studies <= 0.05, "what is plainly there is found"


@pytest.mark.parametrize("right", [0.95, 0.996])
@pytest.mark.parametrize("seeds", [2, 3])
def test_a_row_or_two_in_500_tell_no_variants_apart(seed: int, seeds: int, right: float) -> None:
    """Shares of a test set come in steps: the same difference at two seeds is nothing rare (10 percent, 0.996)."""
    generator = np.random.default_rng(seed)
    studies, false = 600, 0
    for _ in range(studies):
        values = generator.binomial(500, right, size=(2, seeds)) / 500
        (found,) = holm_differences([Paired.of(list(zip(*values.tolist(), strict=True)))])
        false += found.significant
    assert false / studies <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / studies)


def test_the_least_deviation_is_that_of_rounding_to_the_steps() -> None:
    step = 1 / math.sqrt(6)
    assert least_deviation([0.996, 0.994, 0.998, 0.996000001]) == pytest.approx(0.002 * step)
    assert least_deviation([0.0, 0.0, 1.0, 1.0]) == pytest.approx(0.01 * step), "at most a hundredth of the greatest"
    assert least_deviation([3.0, 3.0]) == least_deviation([0.0, 0.0]) == 0
    equal = [(0.998, 0.996), (0.996, 0.994)]
    differences = [one - other for one, other in equal]
    plain, ours, plainly = holm_differences([Paired(differences), Paired.of(equal), Paired.of([(1.0, 0.0)] * 2)])
    assert [each.significant for each in (plain, ours, plainly)] == [True, False, True]
    assert needed_pairs(Paired.of(equal)) == 4, "and not two, which were not enough"


def test_the_interval_of_one_comparison_covers_the_truth_in_95_percent(seed: int) -> None:
    generator = np.random.default_rng(seed)
    intervals = [t_interval(generator.normal(0.7, 2.0, size=5).tolist()) for _ in range(4000)]
    covered = sum(low <= 0.7 <= high for low, high in intervals) / len(intervals)
    assert covered == pytest.approx(0.95, abs=4 * math.sqrt(0.05 * 0.95 / len(intervals)))
