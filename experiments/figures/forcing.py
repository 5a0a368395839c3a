"""The teacher-forcing schedules side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

COLOURS = ("#2f4b7c", "#d1495b", "#e07b39", "#3a7d44", "#7a5195")


def forcing_figure(epochs: Sequence[float], ratios: Mapping[str, Sequence[float]]) -> Figure:
    """Draws the share of gold inputs over training.

    Args:
        epochs: The places at which the schedules were asked.
        ratios: For each schedule its ratio there.

    Returns:
        A figure without ties to pyplot.
    """
    figure = Figure(figsize=(6.0, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for (name, values), colour in zip(ratios.items(), COLOURS, strict=False):
        axes.plot(epochs, values, label=name, color=colour, linewidth=1.8)
    axes.set_xlabel("epoch", color="#555555", fontsize=9)
    axes.set_ylabel("share of gold inputs", color="#555555", fontsize=9)
    axes.set_ylim(-0.03, 1.03)
    axes.tick_params(labelsize=8)
    axes.grid(color="#e6e6e6", linewidth=0.7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False)
    return figure
