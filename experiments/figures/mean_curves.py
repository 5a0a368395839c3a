"""Learning curves of variants: the mean over seeds, and a band from the lowest to the highest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.figures.comparison_style import TEXT, colours_of, markers_of, plain
from experiments.figures.curves import Series
from experiments.figures.whole_numbers import count_in_whole_numbers

PANEL_SIZE = (5.6, 3.4)
"""Inches of width and height."""

Curves = Mapping[str, Sequence[Series]]
"""The curves of each variant, one for each seed."""


def mean_curves_figure(panels: Mapping[tuple[str, str], Curves], variants: Sequence[str]) -> Figure:
    """Draws metrics through training.

    Only steps at which all seeds of a variant were logged are drawn: no smoothing, no filling in.

    Args:
        panels: The curves of each comparison and metric, by their names.
        variants: All of the study, in its order, by which each has its colour.

    Returns:
        A figure without ties to pyplot.
    """
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(PANEL_SIZE[0] * columns + 1.4, PANEL_SIZE[1] * rows), layout="constrained")
    FigureCanvasAgg(figure)
    colours, markers = colours_of(variants), markers_of(variants)
    for place, ((title, label), curves) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(rows, columns, place)
        for name, series in curves.items():
            _draw_curve(axes, name, series, colours[name], markers[name])
        plain(axes)
        axes.set_title(title, fontsize=10, loc="left", fontweight="bold")
        axes.set_xlabel("optimizer step", color=TEXT, fontsize=9)
        axes.set_ylabel(f"{label}\n(mean; band: lowest to highest)", color=TEXT, fontsize=9)
        count_in_whole_numbers(axes.xaxis)
    handles = {str(line.get_label()): line for axes in figure.axes for line in axes.get_lines()}
    shown = [name for name in variants if name in handles]
    figure.legend([handles[name] for name in shown], shown, loc="outside right upper", fontsize=8, frameon=False)
    return figure


def _draw_curve(axes: Axes, name: str, seeds: Sequence[Series], colour: str, marker: str) -> None:
    found = [dict(zip(series.steps, series.values, strict=True)) for series in seeds]
    steps = sorted(set(found[0]).intersection(*found[1:]))
    columns = [[values[step] for values in found] for step in steps]
    shown = marker if len(steps) <= 40 else ""
    axes.plot(
        steps,
        [fmean(column) for column in columns],
        label=name,
        color=colour,
        linewidth=1.6,
        marker=shown,
        markersize=4,
    )
    axes.fill_between(
        steps,
        [min(column) for column in columns],
        [max(column) for column in columns],
        color=colour,
        alpha=0.15,
        linewidth=0,
    )
