"""An axis of things that are counted: steps, positions, lengths."""

from __future__ import annotations

from matplotlib.axis import Axis
from matplotlib.ticker import MaxNLocator, StrMethodFormatter


def count_in_whole_numbers(axis: Axis) -> None:
    """Puts ticks at whole numbers alone, and writes them out: between two steps there is none.

    Args:
        axis: An axis of a figure, horizontal or vertical.
    """
    # With more than one tick wanted, a range around a single number would be divided into parts of one.
    axis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
    axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
