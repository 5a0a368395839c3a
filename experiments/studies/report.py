"""What a study says when it ends: tables in Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, median

from tabulate import tabulate

from experiments.studies.comparison import Comparison, Entry, Place
from experiments.studies.fairness import fairness_lines
from experiments.studies.plan import Key, PlannedRun
from experiments.studies.results import Row
from experiments.studies.statistics import ERROR_RATE
from experiments.studies.study import Metric, Study, panels_of, variants_with

LEFT = ("panel", "variant", "finding", "foretold", "metric", "found")
"""Columns of words: they are set to the left, numbers to the right."""

Table = tuple[list[str], list[list[str]]]
"""The names of the columns, and the rows."""


def report(
    study: Study,
    preset: str,
    runs: Sequence[PlannedRun],
    rows: Mapping[Key, Row],
    comparisons: Sequence[Comparison],
    pictures: Sequence[str],
) -> str:
    """Words the results of a study.

    Args:
        study: The study.
        preset: Its size.
        runs: All its runs.
        rows: The result rows of those that are finished.
        comparisons: What was found.
        pictures: Paths of its figures, from where the text will stand.

    Returns:
        Markdown, which reads well as it is.
    """
    seeds = sorted({planned.seed for planned in runs})
    size = f"preset {preset}, {counted(len(seeds), 'seed')}"
    parts = [
        f"# Study {study.name}",
        study.question,
        f"Preset {preset}, {counted(len(seeds), 'seed')} ({', '.join(map(str, seeds))}); {len(rows)} of "
        f"{counted(len(runs), 'run')} finished; commit {_commits(rows)}.",
        *fairness_lines(study, rows),
        *_warnings(runs, rows),
        "## Runs",
        markdown_table(_cost_table(study, rows)),
    ]
    for comparison in comparisons:
        metric = comparison.metric
        parts += [f"## {metric.title}", f"`{metric.column(None)}`: {_direction(metric)}."]
        parts += [markdown_table(result_table(study, comparison)), *_verdicts(study, comparison, size)]
    if comparisons:
        parts.append(_on_intervals(comparisons, len(seeds)))
    parts += [f"![{picture}]({picture})" for picture in pictures]
    return "\n\n".join(parts) + "\n"


def _warnings(runs: Sequence[PlannedRun], rows: Mapping[Key, Row]) -> list[str]:
    lines = []
    if missing := [planned.title for planned in runs if planned.key not in rows]:
        lines.append(f"WARNING: not finished, and not in the tables: {', '.join(missing)}.")
    if len({row["commit"] for row in rows.values()}) > 1:
        lines.append("WARNING: the runs are of several commits. Move the study's directory away to run all again.")
    return lines


def _commits(rows: Mapping[Key, Row]) -> str:
    return ", ".join(sorted({row["commit"] or "unknown" for row in rows.values()}))


def _cost_table(study: Study, rows: Mapping[Key, Row]) -> Table:
    names, lines = ["panel", "variant", "runs", "parameters", "updates", "seconds of training (mean)"], []
    for panel_name, panel in panels_of(study).items():
        for variant in panel.variants:
            found = [row for key, row in rows.items() if key[:2] == (panel_name, variant)]
            seconds = [float(row["seconds"]) for row in found if row["seconds"]]
            counts = [_range_of([row[column] for row in found]) for column in ("parameters", "updates")]
            lines.append([panel_name, variant, str(len(found)), *counts, f"{fmean(seconds):,.0f}" if seconds else ""])
    return without_empty_columns(names, lines)


def _range_of(cells: Sequence[str]) -> str:
    numbers = sorted({int(cell) for cell in cells if cell})
    return " to ".join(f"{number:,}" for number in dict.fromkeys([*numbers[:1], *numbers[-1:]]))


def result_table(study: Study, comparison: Comparison) -> Table:
    """What was found of a metric: a row for each entry, empty columns left out.

    Args:
        study: The study.
        comparison: Of the metric.
    """
    first = _first(study, comparison.metric)
    interval = f"{100 * (1 - ERROR_RATE):g} % interval"
    names = ["panel", study.x_label or "x", "variant", "mean", "sd", f"difference to {first}", interval, "finding"]
    digits = _digits(comparison)
    lines = []
    for entry in comparison.entries:
        place, found, difference = entry.place, entry.summary, entry.difference
        line = [place.panel, "" if place.metric_x is None else f"{place.metric_x:g}", place.variant]
        line += [f"{found.mean:.{digits}f}", "" if found.deviation is None else f"{found.deviation:.{digits}f}"]
        line += ["" if difference is None else f"{difference.mean:+.{digits}f}"]
        if difference is not None and difference.low is not None and difference.high is not None:
            line += [f"{difference.low:+.{digits}f} to {difference.high:+.{digits}f}", _verdict(comparison, entry)]
        else:
            line += ["", ""]
        lines.append(line)
    return without_empty_columns(names, lines)


def _verdict(comparison: Comparison, entry: Entry) -> str:
    difference = entry.difference
    if difference is None or not difference.significant:
        return "not told apart"
    if comparison.metric.better == "neither":
        return "higher" if difference.mean > 0 else "lower"
    return "better" if (difference.mean > 0) == (comparison.metric.better == "higher") else "worse"


def _direction(metric: Metric) -> str:
    return "no direction is better" if metric.better == "neither" else f"{metric.better} is better"


def _verdicts(study: Study, comparison: Comparison, size: str) -> list[str]:
    """A sentence on what could not be told apart."""
    if not comparison.unresolved:
        return []
    told = ", ".join(_place(study, entry.place) for entry in comparison.unresolved)
    return [f"Not told apart from {_first(study, comparison.metric)} at this size ({size}): {told}."]


def _first(study: Study, metric: Metric) -> str:
    """What the others are compared with."""
    firsts = {variants_with(metric, panel)[0] for panel in panels_of(study).values() if metric in panel.metrics}
    return firsts.pop() if len(firsts) == 1 else "the first variant"


def _place(study: Study, place: Place) -> str:
    x = "" if place.metric_x is None else f"at {study.x_label or 'x'} {place.metric_x:g}"
    return " ".join(word for word in (place.panel, place.variant, x) if word)


def _on_intervals(comparisons: Sequence[Comparison], seeds: int) -> str:
    if seeds < 2:
        return "One seed: there is no deviation and no interval, and nothing is told apart."
    if not any(entry.difference for comparison in comparisons for entry in comparison.entries):
        return "sd: sample standard deviation over the seeds."
    return (
        "sd: sample standard deviation over the seeds. Differences are to the first variant, of runs with the same "
        f"seed. Their intervals are of Student's t, at {100 * (1 - ERROR_RATE):g} percent, corrected after Holm (1979) "
        "over all comparisons of the metric: each has the level at which Holm's procedure tests it. An interval that "
        "holds 0 is reported as not told apart; the chance that one or more differences of a metric are called told "
        f"apart by chance alone is at most {100 * ERROR_RATE:g} percent, where differences are normally distributed. "
        "No deviation is taken as less than what rounding to the metric's steps gives."
    )


def _digits(comparison: Comparison) -> int:
    """Decimals that show two digits of the usual deviation, or four of the values where there is none."""
    deviations = [entry.summary.deviation for entry in comparison.entries if entry.summary.deviation]
    largest = max(abs(entry.summary.mean) for entry in comparison.entries)
    scale, shown = (median(deviations), 2) if deviations else (largest or 1.0, 4)
    return min(6, max(0, shown - 1 - math.floor(math.log10(scale))))


def without_empty_columns(names: list[str], lines: list[list[str]]) -> Table:
    """A table without the columns that have nothing in any row.

    Args:
        names: Of the columns.
        lines: The rows.
    """
    kept = [place for place in range(len(names)) if any(line[place] for line in lines)]
    return [names[place] for place in kept], [[line[place] for place in kept] for line in lines]


def markdown_table(table: Table) -> str:
    """A table in Markdown, which reads well as it is; a bar in a cell is no border of it."""
    names, lines = table
    aligned = ["left" if name in LEFT else "right" for name in names]
    head, *cells = [[cell.replace("|", r"\|") for cell in line] for line in (names, *lines)]
    return tabulate(cells, headers=head, tablefmt="pipe", colalign=aligned, disable_numparse=True)


def counted(count: int, noun: str) -> str:
    """A number of things, in the singular or the plural.

    Args:
        count: How many.
        noun: What, in the singular.
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"
