"""The confusion matrix: which label is taken for which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.figures.alignment import plain

MOST_NUMBERS = 12
"""Up to that many classes each cell has its count; of more, the colours alone are read."""

LONGEST_NAME = 24
"""Characters of a label that are shown; the rest becomes an ellipsis."""


def confusion_figure(matrix: np.ndarray, names: Sequence[str], title: str = "") -> Figure:
    """Draws how often each label is taken for each.

    The colour of a cell is its share of its row, so that rare labels are seen as well as frequent ones; the count of a
    label stands beside its name. A label that the split lacks has an empty row.

    Args:
        matrix: ``(classes, classes)``, counts: rows are labels, columns predictions.
        names: Of the classes.
        title: Stands above the figure.

    Returns:
        A figure without ties to pyplot, as large as its classes need.
    """
    totals = matrix.sum(axis=1)
    shares = matrix / np.maximum(totals, 1)[:, None]
    side = float(np.clip(0.3 * len(names), 2.5, 14.0))
    figure = Figure(figsize=(side + 3.0, side + 2.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0, aspect="equal", interpolation="nearest")
    shown = [name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…" for name in names]
    axes.set_xticks(range(len(names)), shown, rotation=90)
    axes.set_yticks(range(len(names)), [f"{name}  {total:,}" for name, total in zip(shown, totals, strict=True)])
    axes.set_xlabel("predicted", color="#555555")
    axes.set_ylabel("label, and how often it comes", color="#555555")
    axes.tick_params(length=0, labelsize=float(np.clip(24.0 * side / max(1, len(names)), 4.0, 9.0)))
    axes.spines[:].set_visible(False)
    for label in [*axes.get_xticklabels(), *axes.get_yticklabels()]:
        plain(label)
    if len(names) <= MOST_NUMBERS:
        for row, column in np.argwhere(matrix):
            colour = "white" if shares[row, column] > 0.5 else "#222222"
            axes.text(column, row, f"{matrix[row, column]:,}", ha="center", va="center", fontsize=8, color=colour)
    bar = figure.colorbar(image, ax=axes, fraction=0.04, pad=0.02)
    bar.set_label("share of its row", color="#555555", fontsize=9)
    bar.ax.tick_params(labelsize=8, length=2)
    bar.outline.set_visible(False)
    axes.set_title(title, fontsize=11, fontweight="bold", loc="left", parse_math=False)
    return figure
