"""Several systems measured in turn, so that a machine whose speed drifts is no one's advantage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tqdm import tqdm


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


Rounds = Mapping[str, Sequence[Mapping[str, float]]]
"""What each round measured, by the name of the system."""


def in_turn(systems: Sequence[System], rounds: int, warm_up: int = 1) -> Rounds:
    """Measures the systems one after the other, again and again: A B C, A B C.

    Args:
        systems: The systems.
        rounds: How often each is measured.
        warm_up: Rounds before those, which do not count.

    Returns:
        What each round measured.
    """
    measured: dict[str, list[Mapping[str, float]]] = {system.name: [] for system in systems}
    with tqdm(total=(warm_up + rounds) * len(systems), desc="measurements", disable=None) as bar:
        for number in range(warm_up + rounds):
            for system in systems:
                bar.set_postfix_str(system.name)
                quantities = system.measure()
                if number >= warm_up:
                    measured[system.name].append(quantities)
                bar.update()
    return measured


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
