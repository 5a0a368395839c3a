"""Several systems measured in turn, so that a machine whose speed drifts is no one's advantage."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NoReturn

import numpy as np
from tqdm import tqdm

from experiments.benchmarks.machine_watch import Disturbance, MachineWatch


@dataclass(frozen=True)
class Quantity:
    """One thing that is measured.

    Attributes:
        name: As in the report: ``target_tokens_per_second``.
        title: As in the table, with its unit.
        better: Which way is better.
        digits: After the decimal point, in the table.
    """

    name: str
    title: str
    better: Literal["higher", "lower"]
    digits: int = 0


@dataclass(frozen=True)
class System:
    """One of those that are compared.

    Attributes:
        name: As in the table.
        measure: Measures once: a value for each quantity's name. A quantity that the system cannot tell is left out.
    """

    name: str
    measure: Callable[[], Mapping[str, float]]


Rounds = Mapping[str, list[Mapping[str, float]]]
"""What each round measured, by the name of the system."""

MOST_OTHERS = 0.05
"""The share of the machine that others may have while something is measured."""


@dataclass(frozen=True)
class Measurements:
    """What was measured, and what was going on meanwhile.

    Attributes:
        rounds: What each quiet round measured.
        quiet: The greatest disturbance in each of them; None where the system does not tell of any.
        disturbed: That of the rounds that do not count.
        seconds: From the first system's start to the last one's, in each quiet round.
    """

    rounds: Rounds
    quiet: list[Disturbance | None]
    disturbed: list[Disturbance]
    seconds: list[float]


def in_turn(systems: Sequence[System], rounds: int, warm_up: int = 1, most_others: float = MOST_OTHERS) -> Measurements:
    """Measures the systems one after the other, again and again: A B C, A B C.

    A round in which others had too much of the machine during one measurement is made again, as often as there are to
    be rounds in all.

    Args:
        systems: The systems.
        rounds: How often each is measured.
        warm_up: Rounds before those, which do not count.
        most_others: The share of the machine's processor time that others may have; 1 for any.

    Returns:
        What the quiet rounds measured, of which there may be fewer than were asked for, or none.
    """
    found = Measurements({system.name: [] for system in systems}, [], [], [])
    with tqdm(total=(warm_up + rounds) * len(systems), desc="measurements", disable=None) as bar:
        for number in range(warm_up + 2 * rounds):
            if len(found.quiet) == rounds:
                break
            measured, disturbance, seconds = _round(systems, bar)
            if number < warm_up:
                continue
            if disturbance is not None and disturbance.others > most_others:
                found.disturbed.append(disturbance)
                bar.total += len(systems) if number + 1 < warm_up + 2 * rounds else 0
                continue
            found.quiet.append(disturbance)
            found.seconds.append(seconds)
            for name, quantities in measured.items():
                found.rounds[name].append(quantities)
    return found


def _round(
    systems: Sequence[System], bar: tqdm[NoReturn]
) -> tuple[dict[str, Mapping[str, float]], Disturbance | None, float]:
    """Measures each system once: what, the greatest disturbance, and the seconds between the first and last start."""
    measured, disturbances, starts = dict[str, Mapping[str, float]](), list[Disturbance](), list[float]()
    for system in systems:
        bar.set_postfix_str(system.name)
        starts.append(time.monotonic())
        watch = MachineWatch() if MachineWatch.available() else None
        measured[system.name] = system.measure()
        if watch is not None:
            disturbances.append(watch.end())
        bar.update()
    greatest = max(disturbances, key=lambda each: each.others, default=None)
    return measured, greatest, starts[-1] - starts[0]


def values_of(rounds: Rounds, system: str, quantity: str) -> list[float]:
    """One quantity of one system over the rounds; empty where the system does not tell it."""
    return [each[quantity] for each in rounds[system] if quantity in each]


def ratios(rounds: Rounds, system: str, to: str, quantity: str) -> list[float]:
    """A quantity of one system over that of another, round by round; empty where one of the two does not tell it."""
    return [
        first / second
        for first, second in zip(values_of(rounds, system, quantity), values_of(rounds, to, quantity), strict=False)
        if second
    ]


def interval(found: Sequence[float], level: float = 0.95) -> tuple[float, float] | None:
    """Where the median of ratios is likely to be, by the bootstrap (Efron 1979), percentiles of 10,000 samples.

    Args:
        found: A ratio for each round.
        level: The probability.

    Returns:
        The lower and the upper end; None of fewer than three.
    """
    if len(found) < 3:
        return None
    drawn = np.random.default_rng(0).choice(np.asarray(found), size=(10_000, len(found)))
    low, high = np.quantile(np.median(drawn, axis=1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
