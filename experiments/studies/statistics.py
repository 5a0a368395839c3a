"""Means, paired differences, and which of them can be told from 0."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from statistics import fmean, stdev

import mpmath

ERROR_RATE = 0.05
"""The chance that at least one difference that is 0 in truth is called told apart, over one family of comparisons."""

_GREATEST_STEP = 0.01
"""Steps of a metric are no larger than this share of its greatest value: no test set has less than a hundred rows."""

_ALIKE = 1e-6
"""Values that differ by less than this share of the greatest one are equal but for rounding."""

MOST_PAIRS = 200
"""More than so many are not counted: nobody trains so often."""


@dataclass(frozen=True)
class Summary:
    """Several values in short.

    Attributes:
        mean: Their mean.
        deviation: Their sample standard deviation; None of a single value.
        count: How many they are.
    """

    mean: float
    deviation: float | None
    count: int


@dataclass(frozen=True)
class Difference:
    """The mean of paired differences, with its interval.

    Attributes:
        mean: The mean.
        low: Lower end of the interval; None of a single pair.
        high: Upper end of the interval; None of a single pair.
        confidence: Confidence level of this interval by itself, for example 0.95; higher by Holm's correction.
    """

    mean: float
    low: float | None = None
    high: float | None = None
    confidence: float | None = None

    @property
    def significant(self) -> bool:
        """Whether 0 is outside the interval."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


def summary(values: Sequence[float]) -> Summary:
    """Mean and sample standard deviation.

    Args:
        values: At least one.
    """
    return Summary(fmean(values), stdev(values) if len(values) > 1 else None, len(values))


def least_deviation(values: Sequence[float]) -> float:
    """What differences of a metric scatter by at least, however equal those that were seen are.

    A share of a test set goes in steps, and a few seeds soon have the same difference of a step or two: an interval of
    width 0, which says that one row in 500 tells two variants apart. What is rounded to steps is off by up to a half of
    one, so that two of them differ by ``step / sqrt(6)`` as a standard deviation (Sheppard's correction, for two). The
    step is the smallest gap between two values, at most a hundredth of the greatest.

    Args:
        values: Of both variants, at all seeds.
    """
    greatest = max(abs(value) for value in values)
    gaps = (after - before for before, after in pairwise(sorted(values)))
    step = min((gap for gap in gaps if gap > _ALIKE * greatest), default=0.0)
    return min(step, _GREATEST_STEP * greatest) / math.sqrt(6)


@dataclass(frozen=True)
class Paired:
    """What one variant has above another, at each seed that both have.

    Attributes:
        differences: At least one.
        least: The least deviation that is believed of them.
    """

    differences: Sequence[float]
    least: float = 0.0

    @classmethod
    def of(cls, pairs: Sequence[tuple[float, float]]) -> Paired:
        """The differences of a metric.

        Args:
            pairs: The values of the one and of the other, at least one pair.
        """
        return cls([one - other for one, other in pairs], least_deviation([value for pair in pairs for value in pair]))

    @property
    def mean(self) -> float:
        """Their mean."""
        return fmean(self.differences)

    @property
    def deviation(self) -> float:
        """Their sample standard deviation, or the least one; of two or more."""
        return max(stdev(self.differences), self.least)


def holm_differences(families: Sequence[Paired]) -> list[Difference]:
    """The mean of each comparison's paired differences, with a t-interval corrected after Holm.

    The comparisons are ordered by the p-value of their paired t-test, smallest first. Of m comparisons, the i-th is
    tested at ``0.05 / (m - i + 1)``, until one fails; it and all after it are not told from 0 (Holm 1979, A simple
    sequentially rejective multiple test procedure). The interval of each comparison is the t-interval at the very level
    at which it was tested, for those after the first failure at the level of that failure. So an interval holds 0
    exactly where Holm's procedure does not reject, and the chance of one false "told apart" among the m is at most
    0.05. The intervals are not simultaneous: that all of them hold their true differences at once can be rarer than
    0.95.

    Args:
        families: The differences of each comparison.

    Returns:
        The differences in the given order. A comparison of a single pair has no interval, and counts for no other.
    """
    found = [Difference(paired.mean) for paired in families]
    testable = [place for place, paired in enumerate(families) if len(paired.differences) > 1]
    testable.sort(key=lambda place: _p_value(families[place]))
    level, failed = 0.0, False
    for rank, place in enumerate(testable):
        if not failed:
            level = ERROR_RATE / (len(testable) - rank)
        found[place] = _interval(families[place], level)
        failed = failed or not found[place].significant
    return found


def t_interval(values: Sequence[float], level: float = ERROR_RATE) -> tuple[float, float]:
    """The interval of Student's t for the mean of values from one normal distribution.

    Args:
        values: At least two.
        level: 1 less the interval's confidence.
    """
    half = t_quantile(level, len(values) - 1) * stdev(values) / math.sqrt(len(values))
    return fmean(values) - half, fmean(values) + half


@cache
def t_quantile(level: float, freedom: int) -> float:
    """The t that a variable of Student's distribution exceeds in absolute value with a given probability.

    Args:
        level: The probability.
        freedom: Degrees of freedom.
    """
    # With one degree of freedom the tails are the heaviest, and t is cot(pi / 2 * level), below this bound.
    bound = 2 / (math.pi * level) + 1
    return float(
        mpmath.findroot(lambda t: _both_tails(t, freedom) - level, (0, bound), solver="illinois", maxsteps=200)
    )


def needed_pairs(paired: Paired, level: float = ERROR_RATE, power: float = 0.8) -> int | None:
    """About how many pairs a t-test needs to tell a difference as large as the one seen from 0.

    The smallest n with ``n >= ((t(1 - level / 2) + t(power)) * deviation / mean) ** 2``, both quantiles of n - 1
    degrees of freedom (Cohen 1988, section 2.3, by iteration).

    Args:
        paired: The differences that were seen.
        level: That of the test; of several comparisons Holm's procedure has a lower one than 0.05.
        power: The chance to tell them apart.

    Returns:
        The number, at least 2; None of a single difference, of a mean of 0, and above :data:`MOST_PAIRS`.
    """
    if len(paired.differences) < 2 or not paired.mean:
        return None
    ratio = paired.deviation / abs(paired.mean)
    for count in range(2, MOST_PAIRS + 1):
        quantiles = t_quantile(level, count - 1) + t_quantile(2 * (1 - power), count - 1)
        if count >= (quantiles * ratio) ** 2:
            return count
    return None


def _interval(paired: Paired, level: float) -> Difference:
    count = len(paired.differences)
    half = t_quantile(level, count - 1) * paired.deviation / math.sqrt(count)
    return Difference(paired.mean, paired.mean - half, paired.mean + half, 1 - level)


def _p_value(paired: Paired) -> float:
    """The p-value of the paired t-test that the mean difference is 0."""
    error = paired.deviation / math.sqrt(len(paired.differences))
    if error == 0:
        return 0.0 if paired.mean else 1.0
    return float(_both_tails(paired.mean / error, len(paired.differences) - 1))


def _both_tails(t: float, freedom: int) -> mpmath.mpf:
    """The probability that Student's t is at least so far from 0: ``I_x(freedom / 2, 1 / 2)``, the incomplete beta."""
    x = freedom / (freedom + mpmath.mpf(t) ** 2)
    return mpmath.betainc(freedom / 2, 0.5, 0, x, regularized=True)
