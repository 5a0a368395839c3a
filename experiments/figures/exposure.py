"""Exposure bias by position: what a model loses when its history is its own."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.figures.whole_numbers import count_in_whole_numbers

HISTORIES = {"gold history": "#2f4b7c", "own history": "#d1495b"}
FEWEST = 0.02
"""Positions that fewer than this share of the sentences reach are not drawn: their mean says little."""


def exposure_figure(
    sentences: Sequence[int],
    accuracy: tuple[Sequence[float], Sequence[float]],
    loss: tuple[Sequence[float], Sequence[float]],
    title: str = "",
) -> Figure:
    """Draws accuracy and loss over the position in the target, after gold history and after the model's own.

    Args:
        sentences: How many reach each position.
        accuracy: Share of right tokens at each position, after gold and after own history.
        loss: Mean negative log-probability of the gold token in nats, likewise.
        title: Stands above the figure.

    Returns:
        A figure without ties to pyplot.
    """
    drawn = sum(count >= FEWEST * sentences[0] for count in sentences)
    positions = range(1, drawn + 1)
    figure = Figure(figsize=(9.0, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    for place, (label, curves) in enumerate((("share predicted right", accuracy), ("nats per token", loss)), start=1):
        axes = figure.add_subplot(1, 2, place)
        for (name, colour), values in zip(HISTORIES.items(), curves, strict=True):
            axes.plot(positions, values[:drawn], label=name, color=colour, marker="o", markersize=3.5)
        axes.set_xlabel("position in the target", color="#555555", fontsize=9)
        axes.set_ylabel(label, color="#555555", fontsize=9)
        axes.set_ylim(bottom=0.0, top=1.03 if place == 1 else None)
        count_in_whole_numbers(axes.xaxis)
        axes.tick_params(which="both", labelsize=8)
        axes.grid(color="#e6e6e6", linewidth=0.7)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=8, frameon=False)
    figure.suptitle(title, fontsize=11, fontweight="bold", x=0.01, ha="left", parse_math=False)
    return figure
