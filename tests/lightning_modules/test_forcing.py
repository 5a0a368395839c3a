"""Teacher-forcing schedules: the closed forms, their ends, their bounds, and their units."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise

import pytest

from datamodules.errors import UserError
from lightning_modules.forcing import Constant, Cosine, Exponential, ForcingSchedule, InverseSigmoid, Linear

ENDLESS = 10**9


def in_steps(schedule: ForcingSchedule, *steps: int) -> list[float]:
    return [schedule.ratio(step, 7) for step in steps]


def test_linear_by_hand() -> None:
    schedule = Linear(100, start=0.9, end=0.1, unit="steps")
    assert in_steps(schedule, 0, 25, 50, 100, 101, ENDLESS) == pytest.approx([0.9, 0.7, 0.5, 0.1, 0.1, 0.1])


def test_linear_is_the_papers_clamped_line() -> None:
    k, floor, slope = 1.0, 0.25, 0.003
    schedule = Linear((k - floor) / slope, start=k, end=floor, unit="steps")
    assert in_steps(schedule, *range(400)) == pytest.approx([max(floor, k - slope * step) for step in range(400)])


def test_cosine_by_hand() -> None:
    schedule = Cosine(60, unit="steps")
    # cos 0, 60, 90, 120 and 180 degrees are 1, 1/2, 0, -1/2 and -1.
    assert in_steps(schedule, 0, 20, 30, 40, 60, 61, 90, ENDLESS) == pytest.approx([1, 0.75, 0.5, 0.25, 0, 0, 0, 0])


def test_exponential_is_a_repeated_product() -> None:
    schedule, product = Exponential(0.99, unit="steps"), 1.0
    for step in range(500):
        assert schedule.ratio(step, 1) == pytest.approx(product)
        product *= 0.99
    assert schedule.ratio(ENDLESS, 1) == 0.0
    assert in_steps(Exponential(0.5, start=0.8, end=0.2, unit="steps"), 0, 1, 2) == pytest.approx([0.8, 0.5, 0.35])


@pytest.mark.parametrize("k", [1.0, 5.0, 40.0])
def test_inverse_sigmoid_is_the_papers_fraction(k: float) -> None:
    schedule = InverseSigmoid(k, unit="steps")
    for step in (0, 1, 7, 50, 3000):  # in decimal numbers, whose exponential has no largest value
        exact = Decimal(k) / (Decimal(k) + (Decimal(step) / Decimal(k)).exp())
        assert schedule.ratio(step, 1) == pytest.approx(float(exact), abs=1e-15)
    assert schedule.ratio(0, 1) == pytest.approx(k / (k + 1))
    assert schedule.ratio(ENDLESS, 1) == 0.0


def test_inverse_sigmoid_is_half_way_after_k_ln_k() -> None:
    schedule = InverseSigmoid(10.0, start=0.9, end=0.3)
    assert schedule.ratio(round(10 * math.log(10) * 1000), 1000) == pytest.approx(0.6, abs=1e-4)


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_constant(value: float) -> None:
    assert in_steps(Constant(value), 0, 1, ENDLESS) == [value] * 3


def some_schedule(generator: random.Random) -> Callable[..., ForcingSchedule]:
    """A schedule with random arguments, still to be told its unit."""
    start, end = generator.choice([(1.0, 0.0), (generator.random(), generator.random())])
    warmup = generator.choice([0.0, generator.uniform(0, 30)])
    kind, number = generator.choice(
        [
            (Linear, 10 ** generator.uniform(-3, 4)),
            (Cosine, 10 ** generator.uniform(-3, 4)),
            (Exponential, generator.uniform(1e-6, 1 - 1e-6)),
            (InverseSigmoid, 10 ** generator.uniform(0, 4)),
        ]
    )
    return lambda unit: kind(number, start=start, end=end, warmup=warmup, unit=unit)


def test_any_schedule_stays_in_bounds_and_never_turns_round(seed: int) -> None:
    generator = random.Random(seed)
    for _ in range(500):
        schedule = some_schedule(generator)(generator.choice(["steps", "epochs"]))
        steps = sorted(int(10 ** generator.uniform(0, 9)) for _ in range(40))
        ratios = [schedule.ratio(step, 50) for step in [0, *steps, 10**15]]
        assert all(0.0 <= ratio <= 1.0 for ratio in ratios)
        low, high = sorted((schedule.start, schedule.end))
        assert all(low - 1e-12 <= ratio <= high + 1e-12 for ratio in ratios)
        assert ratios[-1] == pytest.approx(schedule.end)
        ascending = schedule.end > schedule.start
        for earlier, later in pairwise(ratios if ascending else ratios[::-1]):
            assert later >= earlier - 1e-12


def test_epochs_are_steps_on_another_scale(seed: int) -> None:
    generator = random.Random(seed)
    for _ in range(200):
        made, per_epoch, epoch = some_schedule(generator), generator.randint(1, 900), generator.randint(0, 60)
        in_epochs = made("epochs").ratio(epoch * per_epoch, per_epoch)
        assert in_epochs == pytest.approx(made("steps").ratio(epoch, 1))
    for step in range(300):  # and between two epochs
        assert Linear(3).ratio(step, 80) == pytest.approx(Linear(240, unit="steps").ratio(step, 1))
        assert Exponential(0.5).ratio(step, 80) == pytest.approx(
            Exponential(0.5 ** (1 / 80), unit="steps").ratio(step, 1)
        )


@pytest.mark.parametrize("kind", [Linear, Cosine, lambda number, **more: InverseSigmoid(number * 10, **more)])
def test_warmup_comes_before_the_decay(kind: Callable[..., ForcingSchedule]) -> None:
    early, late = kind(0.5), kind(0.5, warmup=2)
    assert {late.ratio(step, 10) for step in range(21)} == {early.ratio(0, 10)}
    for step in range(30):
        assert late.ratio(20 + step, 10) == pytest.approx(early.ratio(step, 10))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant(1.01), r"value is 1\.01: a forcing ratio is a probability, so give 0 to 1"),
        (lambda: Constant(math.nan), r"value is nan"),
        (lambda: Linear(10, start=1.2), r"start is 1\.2: a forcing ratio is a probability"),
        (lambda: Cosine(10, end=-0.1), r"end is -0\.1: a forcing ratio is a probability"),
        (lambda: Linear(0), r"length is 0: give more than 0 epochs"),
        (lambda: Cosine(-5, unit="steps"), r"length is -5: give more than 0 steps"),
        (lambda: Linear(10, warmup=-1), r"warmup is -1: give 0 or more epochs"),
        (lambda: Exponential(1.0), r"k is 1\.0: .* for a k between 0 and 1 alone"),
        (lambda: Exponential(0.0), r"k is 0\.0"),
        (lambda: InverseSigmoid(0.9), r"k is 0\.9: an inverse sigmoid needs a k of 1 or more"),
        (lambda: InverseSigmoid(math.inf), r"k is inf"),
    ],
)
def test_schedules_that_would_leave_the_unit_interval_are_refused(
    make: Callable[[], ForcingSchedule], message: str
) -> None:
    with pytest.raises(UserError, match=message) as failed:
        make()
    assert "\n" not in str(failed.value)
