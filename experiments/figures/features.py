"""What is right and wrong of the sentences with each feature."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.figures.comparison_style import COLOURS, NEUTRAL, TEXT, plain

MOST = 30
"""Features that are drawn."""


def feature_figure(scores: Mapping[str, tuple[int, int]], title: str = "") -> Figure:
    """Draws a bar for each feature: its sentences that are right, and behind these those that are not.

    Args:
        scores: For each feature how many sentences have it, and how many of these are right; the first
            :data:`MOST` of them are drawn, in their order from above.
        title: Stands above the figure.

    Returns:
        A figure without ties to pyplot.
    """
    names = list(scores)[:MOST]
    right = [scores[name][1] for name in names]
    wrong = [scores[name][0] - scores[name][1] for name in names]
    figure = Figure(figsize=(5.6, 1.0 + 0.22 * len(names)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    places = range(len(names))
    axes.barh(places, right, color=NEUTRAL, label="right")
    axes.barh(places, wrong, left=right, color=COLOURS[1], label="wrong")
    for place, name in zip(places, names, strict=True):
        count, hits = scores[name]
        axes.annotate(f" {hits / count:.0%}", (count, place), va="center", fontsize=7, color=TEXT)
    axes.set_yticks(places, names, fontsize=8, parse_math=False)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlabel("sentences; the share that is right behind each bar", color=TEXT, fontsize=9)
    axes.set_title(title, fontsize=11, loc="left", fontweight="bold", parse_math=False)
    axes.margins(x=0.08)
    plain(axes)
    axes.legend(fontsize=8, frameon=False, loc="lower right")
    return figure
