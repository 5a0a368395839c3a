"""Forecasts drawn over what came, and below them what the model looked at in the past."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.figures.colour_range import weight_colours
from experiments.figures.comparison_style import COLOURS, FIRST_COLOUR, TEXT, plain


@dataclass(frozen=True)
class ForecastCurves:
    """One column in one window, in the data's units; NaN where a value is missing.

    Attributes:
        column: Its name.
        past: ``(w,)``, the steps that were read.
        truth: ``(h,)``, what came.
        location: ``(h,)``, the point forecast.
        lower: ``(h,)``, the lower end of the interval; None where there is none.
        upper: ``(h,)``, the upper end.
    """

    column: str
    past: np.ndarray
    truth: np.ndarray
    location: np.ndarray
    lower: np.ndarray | None = None
    upper: np.ndarray | None = None


def forecast_figure(
    curves: Sequence[ForecastCurves], weights: np.ndarray | None, interval: float, title: str = ""
) -> Figure:
    """Draws the columns of one window one below the other, and the attention to its past below them.

    Args:
        curves: At least one.
        weights: ``(h, w)``, how much each step to predict looked at each step that was read; None for no attention.
        interval: The probability of the intervals.
        title: Stands above the figure.

    Returns:
        A figure without ties to pyplot. Step 0 is the last that was read.
    """
    rows = len(curves) + (weights is not None)
    figure = Figure(figsize=(9.0, 1.0 + 2.0 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]
    for each, of_column in zip(axes, curves, strict=False):
        _draw_curves(each, of_column, interval)
    axes[0].legend(fontsize=8, frameon=False, ncols=4, loc="upper left")
    if weights is not None:
        _draw_weights(axes[-1], weights)
    axes[-1].set_xlabel("steps from the last that was read", color=TEXT, fontsize=9)
    if title:
        figure.suptitle(title, fontsize=10)
    return figure


def _draw_curves(axes: Axes, curves: ForecastCurves, interval: float) -> None:
    before = np.arange(1 - len(curves.past), 1)
    ahead = np.arange(1, 1 + len(curves.truth))
    axes.plot(before, curves.past, color=FIRST_COLOUR, linewidth=1.0)
    axes.plot(ahead, curves.truth, color=FIRST_COLOUR, linewidth=1.0, marker=".", markersize=4, label="truth")
    axes.plot(ahead, curves.location, color=COLOURS[0], linewidth=1.4, label="forecast")
    if curves.lower is not None and curves.upper is not None:
        label = f"{interval:.0%} interval"
        axes.fill_between(ahead, curves.lower, curves.upper, color=COLOURS[0], alpha=0.2, linewidth=0, label=label)
    axes.axvline(0.5, color=TEXT, linewidth=0.8, linestyle=":")
    axes.set_ylabel(curves.column, color=TEXT, fontsize=9, parse_math=False)
    plain(axes)


def _draw_weights(axes: Axes, weights: np.ndarray) -> None:
    steps, window = weights.shape
    colours = weight_colours(weights)
    borders = (0.5 - window, 0.5, steps + 0.5, 0.5)
    axes.imshow(
        weights,
        cmap="Blues",
        vmin=colours.low,
        vmax=colours.high,
        aspect="auto",
        interpolation="nearest",
        extent=borders,
    )
    axes.set_ylabel("step to predict", color=TEXT, fontsize=9)
    words = ", ".join(word for word in ("attention to the past", colours.words) if word)
    axes.set_title(words.replace("\n", " "), fontsize=8, color=TEXT, loc="left")
    plain(axes)
    axes.grid(visible=False)
