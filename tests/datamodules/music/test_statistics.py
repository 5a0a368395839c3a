"""Statistics of pieces that are small enough to be counted by hand."""

from __future__ import annotations

from fractions import Fraction

from datamodules.music.notes import Note, Piece
from datamodules.music.statistics import statistics


def piece(*voices: list[int]) -> Piece:
    notes = tuple(tuple(Note(pitch, Fraction(at), Fraction(1)) for at, pitch in enumerate(line)) for line in voices)
    return Piece("", notes, Fraction(len(voices[0])))


def test_parallels_repeats_and_triads() -> None:
    # C major, then D minor in parallel fifths and octaves, then the same with a repeated bass, then no triad.
    found = statistics([piece([72, 74, 76], [67, 69, 69], [60, 62, 62])])
    assert (found.lowest, found.highest) == ((72, 67, 60), (76, 69, 62))
    assert (found.notes, found.repeated) == (9, 2)
    assert (found.motions, found.parallel_fifths, found.parallel_octaves) == (3, 1, 1)
    assert (found.moments, found.consonant) == (3, 2)


def test_sums_over_pieces() -> None:
    one, other = piece([60, 62], [55, 57]), piece([64, 64], [52, 57])
    both = statistics([one, other])
    assert both.lowest == (60, 52)
    assert both.notes == 8
    assert both.repeated == 1
    assert "repeated notes 12.5% of 8" in both.lines(["a", "b"])[1]
