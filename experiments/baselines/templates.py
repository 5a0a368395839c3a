"""Responses by templates: for acts, the commonest response that training had for such acts, with the values put in."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

from datamodules.errors import UserError
from datamodules.excerpts.turns import MARKERS, LastTurns
from experiments.baselines.acts import FORM, Act, Spoken, acts_of, bounded
from experiments.baselines.baseline import Baseline


class Templates(Baseline):
    """The commonest training response to the same acts, without its values, and with those of the source put in.

    Of the responses to the same acts, those with the most places for values are chosen from. For acts that training
    does not have together, the responses to each of them alone follow one another; where it does not have one of them,
    their slots do not matter. The acts stand before the first turn of a source, as ``ACT slot = value | value ; ACT``.

    Args:
        markers: What opens a turn, as ``LastTurns`` has them.

    Raises:
        UserError: No training source has acts.
    """

    def __init__(self, markers: Sequence[str] = MARKERS) -> None:
        self.markers = list(markers)
        self._turns = LastTurns(markers=markers)
        self._tables: tuple[_Table, ...] = ()

    def learn(self, sources: Sequence[str], targets: Sequence[str]) -> None:
        """Counts responses without their values, by their acts."""
        pairs = [(self._acts(source), target) for source, target in zip(sources, targets, strict=True)]
        if not any(acts for acts, _ in pairs):
            raise UserError(
                f"Templates needs sources that begin with acts, as {FORM}, and no training source does: read them by "
                "columns: {before: ..., source: ..., target: ...}, or leave Templates out"
            )
        spoken = Spoken(pairs)
        self._tables = (_Table(spoken, lambda act: act.name), _Table(spoken, lambda act: act.kind))
        for table in self._tables:
            for acts, target in pairs:
                table.add(acts, target)

    def write(self, source: str) -> str:
        """See :meth:`Baseline.write`; nothing for acts whose kind training does not have."""
        acts = self._acts(source)
        for table in self._tables:
            if table.has(acts):
                return table.filled(acts)
            if all(table.has([act]) for act in acts):
                break
        return " ".join(filter(None, (self._alone(act) for act in acts)))

    def _acts(self, source: str) -> list[Act]:
        return acts_of(self._turns.parted(source)[0])

    def _alone(self, act: Act) -> str:
        """The response to one act; nothing where there is none."""
        return next((table.filled([act]) for table in self._tables if table.has([act])), "")


class _Table:
    """Responses without values, by their acts.

    Args:
        spoken: Which values are put in.
        name: What of an act matters beside the values that are not.
    """

    def __init__(self, spoken: Spoken, name: Callable[[Act], str]) -> None:
        self._spoken = spoken
        self._name = name
        self._templates: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)

    def add(self, acts: Sequence[Act], target: str) -> None:
        """Counts a response to acts; of values within each other the longest is taken out."""
        places = sorted(self._places(acts), key=lambda each: -len(each[1]))
        if places:  # all at once: a short value may be a word of another one's place
            values = "|".join(f"({bounded(value)})" for _, value in places)
            target = re.sub(values, lambda found: places[(found.lastindex or 0) - 1][0], target, flags=re.IGNORECASE)
        self._templates[self._key(acts)][target] += 1

    def has(self, acts: Sequence[Act]) -> bool:
        """Whether there is a response to acts."""
        return self._key(acts) in self._templates

    def filled(self, acts: Sequence[Act]) -> str:
        """The response to acts that there is one for, with their values."""
        places = list(self._places(acts))
        counts = self._templates[self._key(acts)]
        template = max(counts, key=lambda each: (sum(place in each for place, _ in places), counts[each]))
        for place, value in places:
            template = template.replace(place, value)
        return template

    def _key(self, acts: Sequence[Act]) -> tuple[str, ...]:
        """The acts without the values that are put in, in an order of their own."""
        return tuple(sorted(" ".join((self._name(act), *self._shown(act))) for act in acts))

    def _shown(self, act: Act) -> Iterator[str]:
        """The values of an act, a star for each that is put in."""
        return ("*" if is_spoken else value for value, is_spoken in self._spoken.values(act))

    def _places(self, acts: Sequence[Act]) -> Iterator[tuple[str, str]]:
        """A name for each value that is put in, and the value."""
        counts: Counter[str] = Counter()
        for act in acts:
            for value, is_spoken in self._spoken.values(act):
                if is_spoken:
                    yield f"\0{self._name(act)} {counts[self._name(act)]}\0", value
                    counts[self._name(act)] += 1
