"""A metric over a quantity, as a length or a width: a line for each variant, with error bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from experiments.figures.comparison_style import TEXT, colours_of, markers_of, plain

LOGARITHMIC_FROM = 15.0
"""The ratio of the largest to the smallest place from which the horizontal axis is logarithmic."""


@dataclass(frozen=True)
class Line:
    """What is drawn of one variant.

    Attributes:
        name: Its name.
        places: On the horizontal axis, ascending.
        means: One for each place.
        deviations: One for each place; 0 where there is a single seed.
    """

    name: str
    places: Sequence[float]
    means: Sequence[float]
    deviations: Sequence[float]


def numeric_axis_figure(lines: Sequence[Line], label: str, x_label: str) -> Figure:
    """Draws means with error bars of one standard deviation.

    Args:
        lines: What to draw.
        label: What the metric is.
        x_label: What the quantity is.

    Returns:
        A figure without ties to pyplot.
    """
    figure = Figure(figsize=(7.6, 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    colours, markers = colours_of(line.name for line in lines), markers_of(line.name for line in lines)
    for line in lines:
        axes.errorbar(
            line.places,
            line.means,
            yerr=line.deviations,
            label=line.name,
            color=colours[line.name],
            marker=markers[line.name],
            markersize=5,
            linewidth=1.6,
            elinewidth=1.1,
            capsize=2.5,
        )
    plain(axes)
    places = sorted({place for line in lines for place in line.places})
    if places[0] > 0 and places[-1] / places[0] >= LOGARITHMIC_FROM:
        axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(places))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.set_xlabel(x_label, color=TEXT, fontsize=9)
    axes.set_ylabel(f"{label}\n(mean; bars: one standard deviation)", color=TEXT, fontsize=9)
    if any(line.name for line in lines):
        figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    return figure
