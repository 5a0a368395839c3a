"""The attention heat map: which source tokens a model looked at while it wrote each target token."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.image import AxesImage
from matplotlib.text import Text
from numpy.typing import ArrayLike

from experiments.figures.colour_range import ColourRange, weight_colours

WORD_START = "\N{LOWER ONE EIGHTH BLOCK}"
"""SentencePiece's mark of a piece that begins a word."""

CONTINUATION = "\N{MIDDLE DOT}"
"""Stands before a piece that belongs to the same word as the piece before it."""

LONGEST_LABEL = 18
"""Characters of a token that are shown; the rest becomes an ellipsis."""

ZERO_COLOUR = "#e3e3e3"
"""The colour of a weight that is exactly 0, as it is on padding."""

TITLE_SIZE = 11

FONT_FAMILIES = (
    "DejaVu Sans",
    "Noto Sans",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Noto Sans Arabic",
    "Noto Sans Devanagari",
    "Arial Unicode MS",
    "Hiragino Sans",
    "PingFang SC",
    "Yu Gothic",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Last Resort High-Efficiency",
)
"""Fonts for token labels, in the order in which a glyph is looked for. The last one comes with matplotlib and has a
placeholder for every character, so that none is missing."""


def alignment_figure(source: Sequence[str], hypothesis: Sequence[str], attention: ArrayLike, title: str = "") -> Figure:
    """Draws attention weights as a heat map, the first target token on top, the source from left to right.

    The colours run from 0 to 1, so that figures of different training steps compare. Where no weight reaches a half
    they run from the smallest to the largest: attention that is nearly uniform would else be one pale sheet. The
    colour bar says so. A weight that is exactly 0 is grey.

    Args:
        source: The source tokens, one for each column.
        hypothesis: The target tokens, one for each row.
        attention: ``(target_len, source_len)``, the weights, none of them negative.
        title: Stands above the figure.

    Returns:
        A figure without ties to pyplot, as large as its tokens need.

    Raises:
        ValueError: If the weights do not fit the tokens, or one is negative or no number.
    """
    weights = np.asarray(attention, dtype=np.float64)
    _check(weights, (len(hypothesis), len(source)))
    columns, rows = token_labels(source), token_labels(hypothesis)
    cell = float(np.clip(11.0 / max(len(columns), len(rows)), 0.16, 0.36))
    font_size = float(np.clip(30.0 * cell, 6.0, 10.0))

    colours = weight_colours(weights)
    width, height = _figure_size(columns, rows, cell, font_size)
    figure = Figure(figsize=(width + (0.25 if colours.words else 0.0), height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    image = _draw_cells(axes, weights, colours)
    _draw_tokens(axes, columns, rows, font_size)
    _draw_colour_bar(figure, axes, image, colours, has_zeros=bool((weights == 0).any()))
    if title:
        lines = textwrap.fill(title, width=int(figure.get_figwidth() / (0.0085 * TITLE_SIZE)))
        plain(figure.suptitle(lines, fontsize=TITLE_SIZE))
    return figure


def _check(weights: np.ndarray, expected: tuple[int, int]) -> None:
    if weights.shape != expected:
        raise ValueError(
            f"attention of shape {weights.shape} does not fit tokens of shape {expected}: "
            "a row for each target token and a column for each source token"
        )
    if 0 in expected:
        raise ValueError(f"attention of shape {weights.shape} has nothing to show")
    if not (weights >= 0).all() or not np.isfinite(weights).all():
        raise ValueError(f"attention of shape {weights.shape} has a weight that is negative or not a finite number")


def token_labels(tokens: Sequence[str]) -> list[str]:
    """Words the tokens for people: a piece inside a word begins with a dot, one that begins a word stands plain."""
    if any(token.startswith(WORD_START) for token in tokens):
        tokens = [_label_of_piece(token) for token in tokens]
    visible = ["".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in t) for t in tokens]
    visible = [label if label.strip() else "\N{OPEN BOX}" for label in visible]
    return [t if len(t) <= LONGEST_LABEL else t[: LONGEST_LABEL - 1] + "\N{HORIZONTAL ELLIPSIS}" for t in visible]


def _label_of_piece(piece: str) -> str:
    if piece.startswith(WORD_START):
        return piece.removeprefix(WORD_START).replace(WORD_START, " ")
    is_reserved = piece.startswith("<") and piece.endswith(">")
    return piece if is_reserved else CONTINUATION + piece


def _figure_size(columns: list[str], rows: list[str], cell: float, font_size: float) -> tuple[float, float]:
    """Inches of width and height: the cells, and beside them the longest labels, the colour bar and the titles."""
    character = 0.0095 * font_size
    left = 0.7 + character * max(len(label) for label in rows)
    top = 0.85 + character * max(len(label) for label in columns)
    return left + cell * len(columns) + 1.1, max(top + cell * len(rows), 2.8)


def _draw_cells(axes: Axes, weights: np.ndarray, colours: ColourRange) -> AxesImage:
    target_length, source_length = weights.shape
    axes.set_facecolor(ZERO_COLOUR)
    image = axes.imshow(
        np.ma.masked_equal(weights, 0.0),
        cmap="Blues",
        vmin=colours.low,
        vmax=colours.high,
        aspect="equal",
        interpolation="nearest",
    )
    axes.set_xticks(np.arange(source_length + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(target_length + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=0.8)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    return image


def _draw_tokens(axes: Axes, columns: list[str], rows: list[str], font_size: float) -> None:
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("source", color="#555555", labelpad=6)
    axes.set_ylabel("target", color="#555555", labelpad=6)
    axes.set_xticks(range(len(columns)), columns, rotation=90)
    axes.set_yticks(range(len(rows)), rows)
    families = _installed_families()
    for label in [*axes.get_xticklabels(), *axes.get_yticklabels()]:
        label.set_fontfamily(families)
        label.set_fontsize(font_size)
        label.set_parse_math(False)


def _draw_colour_bar(figure: Figure, axes: Axes, image: AxesImage, colours: ColourRange, has_zeros: bool) -> None:
    shrink = min(0.9, 4.0 / figure.get_figheight())
    bar = figure.colorbar(image, ax=axes, fraction=0.05, pad=0.02, aspect=18, shrink=shrink)
    label = "attention weight" + (" (grey: exactly 0)" if has_zeros else "")
    bar.set_label("\n".join(line for line in (label, colours.words) if line), color="#555555", fontsize=9)
    if not colours.is_whole:
        ticks = np.linspace(colours.low, colours.high, 6)
        bar.set_ticks(ticks.tolist(), labels=[f"{tick:.{colours.digits}f}" for tick in ticks])
    bar.ax.tick_params(labelsize=8, length=2)
    bar.outline.set_visible(False)


def plain(text: Text) -> None:
    """Shows a text letter by letter: a dollar sign is no mathematics, and every letter finds a font."""
    text.set_parse_math(False)
    text.set_fontfamily(_installed_families())


def _installed_families() -> list[str]:
    installed = set(fontManager.get_font_names())
    return [family for family in FONT_FAMILIES if family in installed]
