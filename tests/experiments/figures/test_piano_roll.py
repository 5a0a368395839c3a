"""The piano roll shows each note where it is, as long as it lasts."""

from __future__ import annotations

import pytest
from matplotlib.container import BarContainer

from datamodules.music.harmony import chord_name
from datamodules.music.made import made_pieces
from experiments.figures.piano_roll import piano_roll

pytestmark = pytest.mark.drawn


def test_each_note_is_a_bar_at_its_place() -> None:
    target, written = made_pieces(2, 0, bars=2)
    figure = piano_roll({"target": target, "written": written}, ["a", "b", "c", "d"], "two pieces")
    for axes, piece in zip(figure.axes, (target, written), strict=True):
        drawn = [
            {(bar.get_x(), bar.get_y() + bar.get_height() / 2, bar.get_width()) for bar in voice}
            for voice in axes.containers
            if isinstance(voice, BarContainer)
        ]
        assert drawn == [
            {(float(note.start), note.pitch, float(note.duration)) for note in voice} for voice in piece.voices
        ]
        chords = {chord_name(chord) for bar in piece.bars for chord in bar.chords}
        assert {text.get_text() for text in axes.texts} == chords
    assert figure.axes[0].get_title(loc="left") == "target"
