"""The masks of a padded batch: padding, causality, and the two combined."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from experiments.figures.alignment import plain

COLOURS = ListedColormap(["#e3e3e3", "#6f9bc6"])
"""False and True."""


def masks_figure(rows: Sequence[Sequence[str]], padding: np.ndarray) -> Figure:
    """Draws a batch with its masks, True where something may be looked at.

    Args:
        rows: The tokens of each sequence, padding included.
        padding: ``(batch, length)``, bool: True where there is a token.

    Returns:
        A figure without ties to pyplot: the batch over its padding mask, the causal mask, and for each sequence the two
        combined: who (rows) may look at whom (columns).
    """
    count, length = padding.shape
    causal = np.tril(np.ones((length, length), dtype=bool))
    figure = Figure(figsize=(max(6.0, 0.62 * length + 3.0), 0.42 * count + 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, 1, height_ratios=[0.42 * count + 1.0, 2.6])
    above, below = figure.add_subfigure(grid[0]), figure.add_subfigure(grid[1])
    axes = above.add_subplot()
    _draw(axes, padding, "the batch and its padding mask")
    axes.set_yticks(range(count), [f"sequence {row + 1}" for row in range(count)], fontsize=8)
    for row, tokens in enumerate(rows):
        for column, token in enumerate(tokens):
            plain(axes.text(column, row, token, ha="center", va="center", fontsize=8))
    for place in range(count + 1):
        axes = below.add_subplot(1, count + 1, place + 1)
        if place == 0:
            _draw(axes, causal, "causal mask")
            axes.set_ylabel("position that looks", color="#555555", fontsize=8)
        else:
            _draw(axes, causal & padding[place - 1], f"both, sequence {place}")
        axes.set_xlabel("looked at", color="#555555", fontsize=8)
    return figure


def _draw(axes: Axes, mask: np.ndarray, title: str) -> None:
    axes.imshow(mask, cmap=COLOURS, vmin=0, vmax=1, aspect="equal", interpolation="nearest")
    axes.set_title(title, fontsize=9, loc="left", fontweight="bold")
    axes.set_xticks(range(mask.shape[1]), [str(position + 1) for position in range(mask.shape[1])], fontsize=7)
    axes.set_yticks(range(mask.shape[0]), [str(position + 1) for position in range(mask.shape[0])], fontsize=7)
    axes.set_xticks(np.arange(mask.shape[1] + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(mask.shape[0] + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=0.8)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
