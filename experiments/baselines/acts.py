"""Acts, as text: what a response has to say, ``OFFER city = San Jose ; REQUEST cuisine = Mexican | Italian``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

FORM = "ACT slot = value | value ; ACT"

_SPOKEN = 0.5
"""Values are put into templates if that share of them, or more, stand in the training responses word for word; others,
such as True, tell templates apart."""


@dataclass(frozen=True)
class Act:
    """One act.

    Attributes:
        kind: Its first word, as ``INFORM``.
        name: With its slot, as ``INFORM city``.
        values: Its values, in order.
    """

    kind: str
    name: str
    values: tuple[str, ...]


def acts_of(text: str) -> list[Act]:
    """Reads acts.

    Args:
        text: Acts between semicolons.
    """
    acts = []
    for part in filter(str.strip, text.split(";")):
        name, _, values = part.partition("=")
        words = name.split() or [""]
        acts.append(Act(words[0], " ".join(words), tuple(each.strip() for each in values.split("|") if each.strip())))
    return acts


class Spoken:
    """Which values responses say word for word: told by the act's name, else by the value itself, else taken so.

    Args:
        pairs: Acts and the response to them, of the training.
    """

    def __init__(self, pairs: Iterable[tuple[list[Act], str]]) -> None:
        said: Counter[str] = Counter()
        asked: Counter[str] = Counter()
        for acts, response in pairs:
            for act in acts:
                for value in act.values:
                    for each in (act.name, f"= {value}"):
                        asked[each] += 1
                        said[each] += re.search(bounded(value), response, flags=re.IGNORECASE) is not None
        self._spoken = {each: said[each] >= _SPOKEN * count for each, count in asked.items()}

    def values(self, act: Act) -> Iterator[tuple[str, bool]]:
        """The values of an act, each with whether responses say it."""
        for value in act.values:
            yield value, self._spoken.get(act.name, self._spoken.get(f"= {value}", True))


def bounded(value: str) -> str:
    """A pattern of a value that is no part of a word.

    Args:
        value: As the acts have it.
    """
    return rf"(?<!\w){re.escape(value)}(?!\w)"
