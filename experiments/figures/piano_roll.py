"""Notes over time: a piano roll."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from datamodules.music.harmony import OCTAVE, chord_name
from datamodules.music.notes import Piece
from experiments.figures.whole_numbers import count_in_whole_numbers

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
"""Of the voices, told apart by those who do not see all colours (Okabe and Ito 2008)."""

_BLACK_KEYS = (1, 3, 6, 8, 10)


def piano_roll(pieces: Mapping[str, Piece], voices: Sequence[str], title: str = "") -> Figure:
    """Draws pieces side by side, as a target beside what was generated: a bar for each note, as long as it lasts.

    Args:
        pieces: At least one, by what stands above each.
        voices: Names of the voices.
        title: Stands above the figure.

    Returns:
        A figure without ties to pyplot.
    """
    longest = max(float(piece.length) for piece in pieces.values())
    width = float(np.clip(0.16 * longest + 2.0, 5.0, 11.0))
    figure = Figure(figsize=(width * len(pieces), 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(pieces), squeeze=False, sharex=True, sharey=True)[0]
    pitches = [note.pitch for piece in pieces.values() for voice in piece.voices for note in voice]
    low, high = min(pitches, default=60) - 2, max(pitches, default=60) + 2
    for axes, (name, piece) in zip(panels, pieces.items(), strict=True):
        _draw_keys(axes, low, high)
        _draw_notes(axes, piece)
        _draw_chords(axes, piece)
        axes.set_title(name, fontsize=9, loc="left", fontweight="bold", pad=14, parse_math=False)
        axes.set_xlim(0, longest)
        count_in_whole_numbers(axes.xaxis)
        axes.set_xlabel("quarter notes", color="#555555", fontsize=9)
        axes.tick_params(labelsize=8, length=2)
        axes.spines[:].set_visible(False)
    panels[0].set_ylabel("note (60 is middle C)", color="#555555", fontsize=9)
    handles = [Patch(color=COLOURS[number % len(COLOURS)], label=name) for number, name in enumerate(voices)]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(voices), frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=11, fontweight="bold", x=0.01, ha="left", parse_math=False)
    return figure


def _draw_keys(axes: Axes, low: int, high: int) -> None:
    """The black keys as grey rows, and a line below each C."""
    axes.set_ylim(low - 0.5, high + 0.5)
    for pitch in range(low, high + 1):
        if pitch % OCTAVE in _BLACK_KEYS:
            axes.axhspan(pitch - 0.5, pitch + 0.5, color="#f1f1f1", linewidth=0)
        if pitch % OCTAVE == 0:
            axes.axhline(pitch - 0.5, color="#c0c0c0", linewidth=0.8)


def _draw_notes(axes: Axes, piece: Piece) -> None:
    for number, voice in enumerate(piece.voices):
        axes.barh(
            [note.pitch for note in voice],
            [float(note.duration) for note in voice],
            left=[float(note.start) for note in voice],
            height=0.8,
            color=COLOURS[number % len(COLOURS)],
            edgecolor="white",
            linewidth=0.6,
            zorder=2 + len(piece.voices) - number,
        )


def _draw_chords(axes: Axes, piece: Piece) -> None:
    """The names of the chords above the notes, where they change."""
    for bar in piece.bars:
        for chord in bar.chords[:1]:
            axes.text(
                float(bar.start),
                1.01,
                chord_name(chord),
                fontsize=7,
                color="#333333",
                transform=axes.get_xaxis_transform(),
            )
