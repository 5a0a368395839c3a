"""What a study found: for each metric its entries, each a variant with its values, its mean and its difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from experiments.studies.plan import Key
from experiments.studies.results import Row
from experiments.studies.statistics import Difference, Paired, Summary, holm_differences, summary
from experiments.studies.study import Metric, Study, panels_of, variants_with


class Place(NamedTuple):
    """Where an entry stands.

    Attributes:
        panel: Its comparison; empty where the study has only one.
        variant: Which variant.
        metric_x: Its place on the metric's axis; None where the metric has none.
    """

    panel: str
    variant: str
    metric_x: float | None


@dataclass(frozen=True)
class Entry:
    """One variant's values of one metric.

    Attributes:
        place: Where it stands.
        values: By seed.
        summary: Mean and deviation.
        difference: To the first variant of its panel that has the metric, over the seeds that both have; None for that
            one itself, and where no seed is common.
    """

    place: Place
    values: Mapping[int, float]
    summary: Summary
    difference: Difference | None


@dataclass(frozen=True)
class Comparison:
    """All entries of one metric. Their differences are one family for Holm's correction.

    Attributes:
        metric: The metric.
        entries: In the order of the study.
    """

    metric: Metric
    entries: tuple[Entry, ...]

    @property
    def unresolved(self) -> list[Entry]:
        """Those whose interval holds 0."""
        found = [(entry, entry.difference) for entry in self.entries]
        return [entry for entry, each in found if each is not None and each.low is not None and not each.significant]


def compare(study: Study, rows: Mapping[Key, Row], seeds: Sequence[int]) -> list[Comparison]:
    """Compares what was measured.

    Args:
        study: The study.
        rows: The result rows of the finished runs.
        seeds: Those that count.

    Returns:
        A comparison for each metric, in the order of the study; what no run has is left out.
    """
    panels = panels_of(study)
    metrics = dict.fromkeys(metric for panel in panels.values() for metric in panel.metrics)
    found = (_compared(study, metric, rows, seeds) for metric in metrics)
    return [comparison for comparison in found if comparison.entries]


def _compared(study: Study, metric: Metric, rows: Mapping[Key, Row], seeds: Sequence[int]) -> Comparison:
    values = {
        Place(name, variant, x): {
            seed: float(rows[name, variant, seed][metric.column(x)]) for seed in seeds if (name, variant, seed) in rows
        }
        for name, panel in panels_of(study).items()
        if metric in panel.metrics
        for x in metric.places
        for variant in variants_with(metric, panel)
    }
    firsts = {name: next(iter(variants_with(metric, panel)), "") for name, panel in panels_of(study).items()}

    def first(place: Place) -> Place:
        return place._replace(variant=firsts[place.panel])

    pairs = {
        place: Paired.of(both)
        for place, own in values.items()
        if place != first(place) and (both := _pairs(own, values[first(place)]))
    }
    differences = dict(zip(pairs, holm_differences(list(pairs.values())), strict=True))
    entries = (
        Entry(place, own, summary(list(own.values())), differences.get(place)) for place, own in values.items() if own
    )
    return Comparison(metric, tuple(entries))


def _pairs(values: Mapping[int, float], first: Mapping[int, float]) -> list[tuple[float, float]]:
    """Both values at the seeds that both have."""
    return [(values[seed], first[seed]) for seed in values if seed in first]
