"""Scores by the length of the source: where a model's memory ends."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.figures.whole_numbers import count_in_whole_numbers

COLOURS = ("#d1495b", "#2f4b7c", "#e07b39", "#3a7d44")


def length_figure(scores: Mapping[str, Mapping[int, float]], title: str = "") -> Figure:
    """Draws shares over the length of the source.

    Args:
        scores: For each name its values, from 0 to 1, by length.
        title: Stands above the figure.

    Returns:
        A figure without ties to pyplot.
    """
    figure = Figure(figsize=(5.6, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for (name, values), colour in zip(scores.items(), COLOURS, strict=False):
        lengths = sorted(values)
        axes.plot(lengths, [values[length] for length in lengths], label=name, color=colour, marker="o", markersize=4)
    axes.set_title(title, fontsize=11, loc="left", fontweight="bold", parse_math=False)
    axes.set_xlabel("source tokens", color="#555555", fontsize=9)
    axes.set_ylabel("share", color="#555555", fontsize=9)
    axes.set_ylim(-0.03, 1.03)
    count_in_whole_numbers(axes.xaxis)
    axes.tick_params(which="both", labelsize=8)
    axes.grid(color="#e6e6e6", linewidth=0.7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False)
    return figure
