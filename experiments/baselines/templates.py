"""Responses by templates: for acts, the commonest response that training had for such acts, with the values put in."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from datamodules.errors import UserError
from datamodules.excerpts.turns import MARKERS, LastTurns
from experiments.baselines.baseline import Baseline

_FORM = "ACT slot = value | value ; ACT"

_SPOKEN = 0.5
"""The values of an act are put into templates if that share of them, or more, stand in the training responses word for
word; those of others, such as True, tell templates apart."""


@dataclass(frozen=True)
class Act:
    """One act.

    Attributes:
        name: With its slot, as ``INFORM city``.
        values: Its values, in order.
    """

    name: str
    values: tuple[str, ...]


def acts_of(text: str) -> list[Act]:
    """Reads acts: ``OFFER city = San Jose ; REQUEST cuisine = Mexican | Italian``.

    Args:
        text: What stands before the turns.
    """
    acts = []
    for part in filter(str.strip, text.split(";")):
        name, _, values = part.partition("=")
        acts.append(Act(" ".join(name.split()), tuple(each.strip() for each in values.split("|") if each.strip())))
    return acts


class Templates(Baseline):
    """The commonest training response to the same acts, without its values, and with those of the source put in.

    For acts that training does not have together, the responses to each of them alone follow one another. The acts
    stand before the first turn of a source, as ``ACT slot = value | value ; ACT``.

    Args:
        markers: What opens a turn, as ``LastTurns`` has them.

    Raises:
        UserError: A training source has no acts.
    """

    def __init__(self, markers: Sequence[str] = MARKERS) -> None:
        self.markers = list(markers)
        self._turns = LastTurns(markers=markers)
        self._unspoken: set[str] = set()
        self._templates: dict[tuple[str, ...], Counter[str]] = {}

    def learn(self, sources: Sequence[str], targets: Sequence[str]) -> None:
        """Counts responses without their values, by their acts."""
        acts = [self._acts(source) for source in sources]
        if not any(acts):
            raise UserError(
                f"Templates needs sources that begin with acts, as {_FORM}, and no training source does: read them by "
                "columns: {before: ..., source: ..., target: ...}, or leave Templates out"
            )
        self._tell_apart(zip(acts, targets, strict=True))
        templates: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        for each, target in zip(acts, targets, strict=True):
            templates[self._key(each)][self._without_values(each, target)] += 1
        self._templates = dict(templates)

    def write(self, source: str) -> str:
        """See :meth:`Baseline.write`; nothing for a source without acts that training knows."""
        acts = self._acts(source)
        if self._key(acts) in self._templates:
            return self._filled(acts)
        return " ".join(self._filled([act]) for act in acts if self._key([act]) in self._templates)

    def _acts(self, source: str) -> list[Act]:
        return acts_of(self._turns.parted(source)[0])

    def _tell_apart(self, pairs: Iterable[tuple[list[Act], str]]) -> None:
        """Learns whose values the responses do not say word for word."""
        said: Counter[str] = Counter()
        asked: Counter[str] = Counter()
        for acts, target in pairs:
            for act in acts:
                asked[act.name] += len(act.values)
                said[act.name] += sum(_stands_in(value, target) for value in act.values)
        self._unspoken = {name for name, count in asked.items() if said[name] < _SPOKEN * count}

    def _key(self, acts: Sequence[Act]) -> tuple[str, ...]:
        """The acts without the values that are put in, in an order of their own."""
        return tuple(sorted(" ".join((act.name, *self._shown(act))) for act in acts))

    def _shown(self, act: Act) -> Iterator[str]:
        """The values of an act, a star for each that is put in."""
        return iter(act.values if act.name in self._unspoken else "*" * len(act.values))

    def _without_values(self, acts: Sequence[Act], target: str) -> str:
        for place, value in sorted(self._places(acts), key=lambda each: -len(each[1])):
            target = place.join(re.split(_bounded(value), target, flags=re.IGNORECASE))
        return target

    def _filled(self, acts: Sequence[Act]) -> str:
        (template, _), *_ = self._templates[self._key(acts)].most_common(1)
        for place, value in self._places(acts):
            template = template.replace(place, value)
        return template

    def _places(self, acts: Sequence[Act]) -> Iterator[tuple[str, str]]:
        """A name for each value that is put in, and the value."""
        for act in acts:
            for number, value in enumerate(() if act.name in self._unspoken else act.values):
                yield f"\0{act.name} {number}\0", value


def _bounded(value: str) -> str:
    """A pattern of a value that is no part of a word."""
    return rf"(?<!\w){re.escape(value)}(?!\w)"


def _stands_in(value: str, text: str) -> bool:
    return re.search(_bounded(value), text, flags=re.IGNORECASE) is not None
