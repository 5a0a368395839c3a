"""The hidden states of an encoder over time."""

from __future__ import annotations

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.figures.colour_range import state_colours
from experiments.figures.whole_numbers import count_in_whole_numbers


def states_figure(directions: dict[str, np.ndarray], title: str = "") -> Figure:
    """Draws the hidden states of each direction, a row for each unit, a column for each position.

    The colours run from -1 to 1, or, where no state reaches a half, as far as the largest: the colour bar says so.

    Args:
        directions: For each direction ``(length, units)``, in [-1, 1].
        title: Stands above the figure.

    Returns:
        A figure without ties to pyplot.
    """
    length, units = next(iter(directions.values())).shape
    colours = state_colours(np.concatenate(list(directions.values())))
    figure = Figure(figsize=(np.clip(0.2 * length + 2.5, 5.0, 14.0), 2.6 * len(directions) + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(directions), 1, squeeze=False)[:, 0]
    for axes, (name, states) in zip(panels, directions.items(), strict=True):
        image = axes.imshow(
            states.T, cmap="RdBu_r", vmin=colours.low, vmax=colours.high, aspect="auto", interpolation="nearest"
        )
        count_in_whole_numbers(axes.xaxis)
        axes.set_title(name, fontsize=9, loc="left", fontweight="bold")
        axes.set_ylabel(f"{units} units", color="#555555", fontsize=9)
        axes.set_xlabel("position", color="#555555", fontsize=9)
        axes.tick_params(labelsize=8, length=2)
        axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=list(panels), fraction=0.03, pad=0.02)
    bar.set_label("\n".join(line for line in ("hidden state", colours.words) if line), color="#555555", fontsize=9)
    bar.ax.tick_params(labelsize=8, length=2)
    bar.outline.set_visible(False)
    figure.suptitle(title, fontsize=11, fontweight="bold", x=0.01, ha="left", parse_math=False)
    return figure
