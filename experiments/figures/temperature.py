"""One attention under several temperatures: its scores, weights, entropy, and what each position contributes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.figures.alignment import plain, token_labels
from experiments.figures.colour_range import weight_colours

BLUE, RED = "#2f4b7c", "#d1495b"


def entropy_of(weights: np.ndarray) -> np.ndarray:
    """Shannon's entropy of distributions over the last axis, in nats."""
    logarithms = np.log(np.where(weights > 0, weights, 1.0))
    return np.abs((weights * logarithms).sum(axis=-1))  # without a minus before 0


def temperature_figure(
    source: Sequence[str],
    target: str,
    scores: np.ndarray,
    temperatures: Sequence[float],
    weights: np.ndarray,
    contributions: np.ndarray,
) -> Figure:
    """Draws what an attention does at one target token.

    Args:
        source: The source tokens.
        target: The target token that is written.
        scores: ``(source_len,)``, before the softmax.
        temperatures: Rising.
        weights: ``(temperatures, source_len)``.
        contributions: ``(source_len,)``, the share of each position in the context as the model has it; they sum to 1.

    Returns:
        A figure without ties to pyplot.
    """
    labels = token_labels(source)
    figure = Figure(figsize=(max(7.0, 0.42 * len(labels) + 4.5), 8.2), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(4, 1, height_ratios=[1.0, 0.28 * len(temperatures) + 0.3, 1.0, 1.1])
    axes = figure.add_subplot(grid[0])
    axes.bar(range(len(labels)), scores, color=BLUE)
    _describe(axes, "scores", "score", labels)
    axes = figure.add_subplot(grid[1])
    colours = weight_colours(weights)
    axes.imshow(weights, cmap="Blues", vmin=colours.low, vmax=colours.high, aspect="auto", interpolation="nearest")
    for (row, column), weight in np.ndenumerate(weights):
        is_dark = weight > colours.low + 0.6 * (colours.high - colours.low)
        colour = "white" if is_dark else "#333333"
        axes.text(column, row, f"{weight:.{colours.digits}f}", ha="center", va="center", fontsize=7, color=colour)
    axes.set_yticks(range(len(temperatures)), [f"{temperature:g}" for temperature in temperatures])
    title = ", ".join(words for words in ("weights at each temperature", colours.words) if words)
    _describe(axes, title, "temperature", labels)
    axes = figure.add_subplot(grid[2])
    axes.plot(temperatures, entropy_of(weights), color=BLUE, marker="o", markersize=4, label="entropy")
    axes.axhline(math.log(len(labels)), color="#999999", linewidth=1.0, linestyle="--", label="all alike")
    axes.set_xscale("log")
    axes.set_xticks(temperatures, [f"{temperature:g}" for temperature in temperatures])
    axes.minorticks_off()
    axes.set_ylim(bottom=0.0, top=1.08 * math.log(len(labels)) or None)
    axes.set_xlabel("temperature", color="#555555", fontsize=9)
    axes.legend(fontsize=8, frameon=False)
    _describe(axes, "entropy of the weights", "nats", [])
    axes = figure.add_subplot(grid[3])
    axes.bar(range(len(labels)), contributions, color=[BLUE if share >= 0 else RED for share in contributions])
    axes.axhline(0.0, color="#999999", linewidth=0.8)
    _describe(axes, "what each position contributes to the context", "share", labels)
    plain(figure.suptitle(f"Attention while the model writes {token_labels([target])[0]!r}", fontsize=11))
    return figure


def _describe(axes: Axes, title: str, unit: str, labels: Sequence[str]) -> None:
    axes.set_title(title, fontsize=9, loc="left", fontweight="bold")
    axes.set_ylabel(unit, color="#555555", fontsize=9)
    axes.tick_params(labelsize=8, length=2)
    axes.spines[["top", "right"]].set_visible(False)
    if labels:
        axes.set_xlim(-0.5, len(labels) - 0.5)
        axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right", rotation_mode="anchor")
        for label in axes.get_xticklabels():
            plain(label)
