"""Which sentences of a text an attention holds to be important, drawn over the text."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike, NDArray

from experiments.figures.alignment import TITLE_SIZE, WORD_START, plain

COLUMNS = 96
"""Characters of a line."""

LINE_HEIGHT = 0.22
"""Inches."""

FONT_SIZE = 9

_SENTENCE = re.compile(r"\S.*?(?:[.!?](?=\s|$)|$)", re.DOTALL)

_LIGHT = 0.45
"""The share of the colours that is used: letters stay legible on the darkest."""


def sentences_of(text: str) -> list[tuple[int, str]]:
    """The sentences of a text, each with the place of its first character; they end with a stop before a space.

    Args:
        text: Raw text.
    """
    return [(match.start(), match[0]) for match in _SENTENCE.finditer(text)]


def sentence_weights(text: str, pieces: Sequence[str], attention: ArrayLike) -> NDArray[np.float64]:
    """Attention weights summed by sentence, and averaged over the target.

    Args:
        text: The source.
        pieces: Its tokens as shown, those of reserved ids included, in order.
        attention: ``(target_len, source_len)``.

    Returns:
        ``(sentences,)``, which sum to at most 1: what is attended to beyond the text counts for none of them.
    """
    weights = np.asarray(attention, dtype=np.float64).mean(axis=0)
    starts = [start for start, _ in sentences_of(text)]
    sums = np.zeros(len(starts))
    place = 0
    for piece, weight in zip(pieces, weights, strict=True):
        found = text.find(piece.replace(WORD_START, " ").strip(), place)
        if found < 0:  # a token of no text, as the end
            continue
        sums[np.searchsorted(starts, found, side="right") - 1] += weight
        place = found
    return sums


def importance_figure(text: str, summary: str, weights: ArrayLike, title: str = "") -> Figure:
    """Draws a text sentence by sentence, the darker the more of the attention is on it, and what was written of it.

    Args:
        text: The source.
        summary: The hypothesis.
        weights: ``(sentences,)``, from :func:`sentence_weights`.
        title: Stands above the figure.

    Returns:
        A figure without ties to pyplot, as high as its text needs.

    Raises:
        ValueError: There is not one weight for each sentence.
    """
    from matplotlib import colormaps

    sentences = [sentence for _, sentence in sentences_of(text)]
    shares = np.asarray(weights, dtype=np.float64)
    if shares.shape != (len(sentences),):
        raise ValueError(f"weights of shape {shares.shape} do not fit {len(sentences)} sentences")
    blocks = [textwrap.wrap(sentence, COLUMNS) for sentence in sentences]
    written = textwrap.wrap(summary, COLUMNS) or [""]
    count = sum(map(len, blocks)) + len(written) + 1
    figure = Figure(figsize=(9.0, LINE_HEIGHT * (count + 2) + (0.4 if title else 0.0)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set(xlim=(-8, COLUMNS), ylim=(count, 0))
    axes.set_axis_off()
    line = 0
    for block, share in zip(blocks, shares, strict=True):
        line = _draw(axes, block, line, f"{share:.0%}", colormaps["Blues"], float(share / max(shares.max(), 1e-9)))
    _draw(axes, written, line + 1, "written", colormaps["Greys"], 0.0)
    if title:
        plain(figure.suptitle(title, fontsize=TITLE_SIZE))
    return figure


def _draw(axes: Axes, lines: Sequence[str], top: int, label: str, colours: Colormap, darkness: float) -> int:
    """Draws lines over a colour, and a label beside them; gives the place below."""
    colour = colours(_LIGHT * darkness)
    axes.add_patch(Rectangle((0, top), COLUMNS, len(lines), facecolor=colour, edgecolor="white", linewidth=1.5))
    plain(axes.text(-0.8, top + 0.5, label, fontsize=FONT_SIZE, ha="right", va="center", color="#555555"))
    for number, line in enumerate(lines):
        plain(axes.text(0.6, top + number + 0.5, line, fontsize=FONT_SIZE, va="center"))
    return top + len(lines)
