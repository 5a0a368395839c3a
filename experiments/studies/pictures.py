"""The figures of a study, from its comparisons and the metrics of its runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from experiments.figures.curves import Series, read_series
from experiments.figures.differences import VariantValues, differences_figure
from experiments.figures.mean_curves import mean_curves_figure
from experiments.figures.numeric_axis import Line, numeric_axis_figure
from experiments.storage.layout import METRICS
from experiments.studies.comparison import Comparison, Entry
from experiments.studies.plan import Key
from experiments.studies.results import Row
from experiments.studies.statistics import ERROR_RATE
from experiments.studies.study import Metric, Study, panels_of, slug

INTERVAL = f"{100 * (1 - ERROR_RATE):g} % interval, Holm-corrected"


def study_figures(
    study: Study, rows: Mapping[Key, Row], comparisons: Sequence[Comparison]
) -> Iterator[tuple[str, Figure]]:
    """Draws a study: its metrics, what training logs of them, and the study's curves.

    Args:
        study: The study.
        rows: The result rows of its finished runs.
        comparisons: What was found.

    Yields:
        The name of each figure, for its file, and the figure.
    """
    yield from metric_figures(study, comparisons)
    for metric in _of_training(comparisons):
        if drawn := _drawn([(panel, metric.name) for panel in panels_of(study)], rows):
            yield f"{slug(metric.name)}-curves", mean_curves_figure(drawn, _variants(study))
    yield from curve_figures(study, rows)


def metric_figures(study: Study, comparisons: Sequence[Comparison]) -> Iterator[tuple[str, Figure]]:
    """Draws metrics.

    Each is drawn as variants side by side, with their paired differences, and over the quantity that the variants, the
    panels or itself are steps of, where there is one.

    Args:
        study: The study.
        comparisons: What was found of them.

    Yields:
        The name of each figure, for its file, and the figure.
    """
    taken: set[str] = set()
    for comparison in comparisons:
        name, title = slug(comparison.metric.column(None)), comparison.metric.title
        if name in taken:  # panels may have metrics of one name that mean different things
            name = f"{name}-{slug(title)}"
        taken.add(name)
        lines = _lines(study, comparison)
        if lines:
            yield name, numeric_axis_figure(lines, title, study.x_label or "x")
        if not lines or any(entry.difference for entry in comparison.entries):
            shown = f"{name}-differences" if lines else name
            yield shown, differences_figure(_side_by_side(study, comparison), title, INTERVAL, _variants(study))


def curve_figures(study: Study, rows: Mapping[Key, Row]) -> Iterator[tuple[str, Figure]]:
    """Draws the curves of a study in one figure; none where it has no curves, or nothing was logged of them.

    Args:
        study: The study.
        rows: The result rows of its finished runs.

    Yields:
        The figure's name, for its file, and the figure.
    """
    if drawn := _drawn([(name, curve) for name, panel in panels_of(study).items() for curve in panel.curves], rows):
        yield "curves", mean_curves_figure(drawn, _variants(study))


def _variants(study: Study) -> list[str]:
    """The names of the variants of all panels, each once."""
    return list(dict.fromkeys(name for panel in panels_of(study).values() for name in panel.variants))


def _side_by_side(study: Study, comparison: Comparison) -> dict[str, list[VariantValues]]:
    """The entries by panel, and by the place on the metric's axis where it has one."""
    panels: defaultdict[str, list[VariantValues]] = defaultdict(list)
    for entry in comparison.entries:
        difference = entry.difference
        interval = None
        if difference is not None and difference.low is not None and difference.high is not None:
            interval = (difference.low, difference.high)
        mean = None if difference is None else difference.mean
        values = list(entry.values.values())
        at = "" if entry.place.metric_x is None else f"{study.x_label or 'x'} {entry.place.metric_x:g}"
        title = ", ".join(word for word in (entry.place.panel, at) if word)
        panels[title].append(VariantValues(entry.place.variant, values, entry.summary.mean, mean, interval))
    return dict(panels)


def _lines(study: Study, comparison: Comparison) -> list[Line]:
    """The entries as points of lines; none unless each has a place on the axis."""
    points: defaultdict[str, list[tuple[float, Entry]]] = defaultdict(list)
    for entry in comparison.entries:
        x, name = _on_axis(study, entry)
        if x is None:
            return []
        points[name].append((x, entry))
    return [_line(name, sorted(found, key=lambda point: point[0])) for name, found in points.items()]


def _line(name: str, points: Sequence[tuple[float, Entry]]) -> Line:
    summaries = [entry.summary for _, entry in points]
    return Line(
        name, [x for x, _ in points], [each.mean for each in summaries], [each.deviation or 0.0 for each in summaries]
    )


def _on_axis(study: Study, entry: Entry) -> tuple[float | None, str]:
    """An entry's place on the numeric axis, and the line that it is a point of: what the axis does not tell of it."""
    panel = panels_of(study)[entry.place.panel]
    variant = panel.variants[entry.place.variant]
    whole = " ".join(word for word in (entry.place.panel, entry.place.variant) if word)
    if entry.place.metric_x is not None:
        return entry.place.metric_x, whole
    if variant.x is not None:
        return variant.x, entry.place.panel
    return panel.x, entry.place.variant


def _of_training(comparisons: Sequence[Comparison]) -> list[Metric]:
    """The metrics that training logs, each once."""
    found = {each.metric.name: each.metric for each in comparisons if each.metric.is_of_training and not each.metric.x}
    return list(found.values())


def _drawn(
    wanted: Sequence[tuple[str, str]], rows: Mapping[Key, Row]
) -> dict[tuple[str, str], dict[str, list[Series]]]:
    """The curves by panel and metric, without those that nothing was logged of."""
    found = {(panel, metric): _curves(panel, metric, rows) for panel, metric in wanted}
    return {place: curves for place, curves in found.items() if curves}


def _curves(panel: str, metric: str, rows: Mapping[Key, Row]) -> dict[str, list[Series]]:
    curves: defaultdict[str, list[Series]] = defaultdict(list)
    for (name, variant, _), row in rows.items():
        path = Path(row["run"]) / METRICS
        if name == panel and path.is_file() and metric in (logged := read_series(path)):
            curves[variant].append(logged[metric])
    return dict(curves)
