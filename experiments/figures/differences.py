"""Variants side by side: the value of every seed, and the paired differences to the first with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.figures.comparison_style import NEUTRAL, TEXT, colours_of, plain

ROW_HEIGHT = 0.34
"""Inches for each variant."""


@dataclass(frozen=True)
class VariantValues:
    """What is drawn of one variant.

    Attributes:
        name: Its name.
        values: One for each seed.
        mean: Their mean.
        difference: To the first variant; None for the first, and where there is none.
        interval: The difference's; None with a single seed.
    """

    name: str
    values: Sequence[float]
    mean: float
    difference: float | None = None
    interval: tuple[float, float] | None = None

    @property
    def significant(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]


def differences_figure(
    panels: Mapping[str, Sequence[VariantValues]], label: str, interval: str, variants: Sequence[str]
) -> Figure:
    """Draws a row for each variant: on the left its seeds and their mean, on the right its difference to the first.

    Args:
        panels: The variants of each comparison, by its name, the first variant first.
        label: What the values are.
        interval: What the intervals are.
        variants: All of the study, in its order, by which each has its colour.

    Returns:
        A figure without ties to pyplot.
    """
    heights = [len(rows) + 1 for rows in panels.values()]
    longest = max(len(row.name) for rows in panels.values() for row in rows)
    size = (8.4 + 0.075 * longest, ROW_HEIGHT * sum(heights) + 0.9)
    figure = Figure(figsize=size)
    figure.set_layout_engine("constrained", wspace=0.05)
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(panels), 2, squeeze=False, sharex="col", height_ratios=heights)
    colours = colours_of(variants)
    for (title, rows), (left, right) in zip(panels.items(), grid, strict=True):
        for row, variant in enumerate(rows):
            _draw_values(left, row, variant, colours[variant.name])
            _draw_difference(right, row, variant, colours[variant.name])
        _prepare(left, [variant.name for variant in rows])
        _prepare(right, [""] * len(rows))
        right.axvline(0.0, color=TEXT, linewidth=1.0, zorder=1)
        left.set_title(title, fontsize=10, loc="left", fontweight="bold")
    first = next(iter(panels.values()))[0].name if len(panels) == 1 else "the first"
    grid[-1][0].set_xlabel(f"{label}\n(dots: seeds; bar: mean)", color=TEXT, fontsize=9)
    grid[-1][1].set_xlabel(
        f"difference to {first}, paired by seed\n({interval}; hollow: not told apart)", color=TEXT, fontsize=9
    )
    return figure


def _draw_values(axes: Axes, row: int, variant: VariantValues, colour: str) -> None:
    axes.scatter(variant.values, [row] * len(variant.values), s=22, color=colour, alpha=0.55, linewidths=0, zorder=3)
    axes.vlines(variant.mean, row - 0.28, row + 0.28, color=colour, linewidth=2.2, zorder=4)


def _draw_difference(axes: Axes, row: int, variant: VariantValues, colour: str) -> None:
    if variant.difference is None:
        return
    shown = colour if variant.significant else NEUTRAL
    if variant.interval is not None:
        axes.hlines(row, *variant.interval, color=shown, linewidth=2.0, zorder=3)
    face = shown if variant.significant else "white"
    axes.plot([variant.difference], [row], marker="o", markersize=6, color=shown, markerfacecolor=face, zorder=4)


def _prepare(axes: Axes, names: list[str]) -> None:
    plain(axes)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", labelsize=9, length=0)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
