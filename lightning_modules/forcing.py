"""Teacher-forcing schedules: how often the decoder is fed the gold token, as a function of the position in training.

Under scheduled sampling (Bengio et al. 2015) the decoder's next input is the gold token with probability epsilon, and
its own prediction otherwise. The ratio epsilon begins high and decays. Every schedule here is a closed form of the
optimizer step, so that a resumed run, or another number of processes, has the same ratio at the same step.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Literal

from datamodules.errors import UserError

ForcingUnit = Literal["steps", "epochs"]
"""What a schedule counts: optimizer steps, or epochs, of which a step is a fraction."""


class ForcingSchedule(ABC):
    """What every schedule offers."""

    @abstractmethod
    def ratio(self, step: int, steps_per_epoch: int) -> float:
        """The share of gold tokens among the decoder's inputs, in [0, 1].

        Args:
            step: Optimizer steps made so far, counted from 0 over the whole run.
            steps_per_epoch: Optimizer steps of one epoch, at least 1.
        """


class Constant(ForcingSchedule):
    """The same ratio throughout: 1 is teacher forcing, 0 is free running.

    Args:
        value: The ratio.

    Raises:
        UserError: The value is outside [0, 1].
    """

    def __init__(self, value: float = 1.0) -> None:
        _check_ratio("value", value)
        self.value = value

    def ratio(self, step: int, steps_per_epoch: int) -> float:
        """The value; see :meth:`ForcingSchedule.ratio`."""
        return self.value


class _Decay(ForcingSchedule):
    """A ratio that stays at its start, then goes to its end: ``end + (start - end) * remaining(time)``.

    A subclass says what remains of the way, from about 1 at time 0 down to 0.
    """

    def __init__(self, start: float, end: float, warmup: float, unit: ForcingUnit) -> None:
        _check_ratio("start", start)
        _check_ratio("end", end)
        if not 0.0 <= warmup < math.inf:
            raise UserError(f"warmup is {warmup}: give 0 or more {unit}")
        self.start = start
        self.end = end
        self.warmup = warmup
        self.unit: ForcingUnit = unit

    def ratio(self, step: int, steps_per_epoch: int) -> float:
        """The ratio at a step; see :meth:`ForcingSchedule.ratio`."""
        time = step if self.unit == "steps" else step / steps_per_epoch
        return self.end + (self.start - self.end) * self._remaining(max(0.0, time - self.warmup))

    @abstractmethod
    def _remaining(self, time: float) -> float:
        """What remains of the way from start to end after so many units beyond the warm-up; in [0, 1]."""


class _OverLength(_Decay):
    """A way from start to end that is over after a given time.

    Args:
        length: Units from start to end.
        start: Ratio at first.
        end: Ratio at last, kept from there on.
        warmup: Units at the start's ratio before the decay begins.
        unit: What length and warm-up count.

    Raises:
        UserError: A ratio is outside [0, 1], or a length not positive.
    """

    def __init__(
        self, length: float, start: float = 1.0, end: float = 0.0, warmup: float = 0.0, unit: ForcingUnit = "epochs"
    ) -> None:
        super().__init__(start, end, warmup, unit)
        _check_length(length, unit)
        self.length = length


class Linear(_OverLength):
    """A line from start to end (Bengio et al. 2015, section 2.4).

    The paper's ``max(epsilon, k - c i)`` with k the start, epsilon the end, and c = (start - end) / length.
    """

    def _remaining(self, time: float) -> float:
        return max(0.0, 1.0 - time / self.length)


class Cosine(_OverLength):
    """Half a cosine from start to end: slow at both ends, fastest in the middle."""

    def _remaining(self, time: float) -> float:
        return (1.0 + math.cos(math.pi * min(1.0, time / self.length))) / 2.0


class Exponential(_Decay):
    """``k ** i``: each unit keeps the share k of the ratio (Bengio et al. 2015, section 2.4).

    With an end above 0 it is the distance to the end that shrinks so.

    Args:
        k: The share kept, between 0 and 1. After ``ln 0.5 / ln k`` units half of the way is gone.
        start: Ratio at first.
        end: Ratio that is approached.
        warmup: Units at the start's ratio before the decay begins.
        unit: What i and the warm-up count.

    Raises:
        UserError: A ratio is outside [0, 1], or k not between 0 and 1.
    """

    def __init__(
        self, k: float, start: float = 1.0, end: float = 0.0, warmup: float = 0.0, unit: ForcingUnit = "epochs"
    ) -> None:
        super().__init__(start, end, warmup, unit)
        if not 0.0 < k < 1.0:
            raise UserError(f"k is {k}: an exponential decay stays between 0 and 1 for a k between 0 and 1 alone")
        self.k = k

    def _remaining(self, time: float) -> float:
        return self.k**time


class InverseSigmoid(_Decay):
    """``k / (k + exp(i / k))``: a plateau, a fall, a plateau (Bengio et al. 2015, section 2.4).

    It begins at k / (k + 1) of the way, not quite at the start: 0.83 for k = 5. Half of the way is gone after
    ``k ln k`` units.

    Args:
        k: How late and how slow the fall is, at least 1.
        start: Ratio of the upper plateau.
        end: Ratio of the lower plateau.
        warmup: Units at the first ratio before the decay begins.
        unit: What i, k and the warm-up count.

    Raises:
        UserError: A ratio is outside [0, 1], or k below 1.
    """

    def __init__(
        self, k: float, start: float = 1.0, end: float = 0.0, warmup: float = 0.0, unit: ForcingUnit = "epochs"
    ) -> None:
        super().__init__(start, end, warmup, unit)
        if not 1.0 <= k < math.inf:
            raise UserError(f"k is {k}: an inverse sigmoid needs a k of 1 or more")
        self.k = k

    def _remaining(self, time: float) -> float:
        # Both sides of the fraction divided by exp(i / k), which would overflow.
        kept = self.k * math.exp(-time / self.k)
        return kept / (kept + 1.0)


def _check_ratio(name: str, value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise UserError(f"{name} is {value}: a forcing ratio is a probability, so give 0 to 1")


def _check_length(length: float, unit: ForcingUnit) -> None:
    if not 0.0 < length < math.inf:
        raise UserError(f"length is {length}: give more than 0 {unit}")
