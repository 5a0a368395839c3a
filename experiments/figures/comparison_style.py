"""What the figures that compare variants have in common: a colour and a marker for each, and plain axes."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from matplotlib.axes import Axes

FIRST_COLOUR = "#333333"
"""The colour of the first variant, with which the others are compared."""

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c510a", "#7a5195")
"""The colours of the others; most pairs differ for colour-blind eyes too, and the markers always do."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")

NEUTRAL = "#9a9a9a"
"""The colour of what is not told apart."""

TEXT = "#555555"


def colours_of(names: Iterable[str]) -> dict[str, str]:
    """A colour for each variant, the same in every figure of a study.

    Args:
        names: In the order of the study.
    """
    return dict(zip(dict.fromkeys(names), itertools.chain([FIRST_COLOUR], itertools.cycle(COLOURS)), strict=False))


def markers_of(names: Iterable[str]) -> dict[str, str]:
    """A marker for each variant, the same in every figure of a study.

    Args:
        names: In the order of the study.
    """
    return dict(zip(dict.fromkeys(names), itertools.cycle(MARKERS), strict=False))


def plain(axes: Axes) -> None:
    """Small ticks, a faint grid, and no frame above and to the right."""
    axes.tick_params(which="both", labelsize=8)
    axes.grid(color="#e6e6e6", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
