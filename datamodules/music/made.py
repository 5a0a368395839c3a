"""Music that is made up by rules: a tune with chords, and three voices below it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from fractions import Fraction

from datamodules.music.harmony import NAMES, Chord, Key
from datamodules.music.notes import Bar, Note, Piece

_MAJOR = (0, 2, 4, 5, 7, 9, 11)
"""Semitones of the scale above its tonic."""

_CHORDS = (Chord(0, False), Chord(5, False), Chord(7, False), Chord(9, True))
"""Tonic, subdominant, dominant and relative minor, above the tonic."""

_BASS, _TENOR, _ALTO = 48, 57, 64
"""The notes that the lower voices stay near."""


def made_pieces(count: int, seed: int, bars: int) -> Iterator[Piece]:
    """Pieces of four voices in any major key, a quarter note each, with a chord symbol above each bar.

    The tune walks up and down the scale, and ends on the tonic. The chord of a quarter note is the first of tonic,
    subdominant, dominant and relative minor that has the note of the tune and differs from the one before, where one
    does; the bass has its root, tenor and alto the third and the fifth, each as near as it can to where it stays. A
    bar's symbol is the chord that it begins with.

    Args:
        count: Number of pieces.
        seed: Seed of the tunes.
        bars: Of each piece.
    """
    for number in range(count):
        draw = random.Random(f"{seed} {number}")
        tonic = draw.randrange(12)
        degrees = _walk(draw, 4 * bars)
        tune = [60 + tonic + 12 * (degree // 7) + _MAJOR[degree % 7] for degree in degrees]
        chords = _harmony([(pitch - tonic) % 12 for pitch in tune])
        yield _piece(f"made piece {number + 1}", tonic, tune, chords)


def _walk(draw: random.Random, count: int) -> list[int]:
    """Steps of the scale, 0 at both ends."""
    degrees = [0]
    while len(degrees) < count - 1:
        step = draw.choice((-2, -1, -1, 1, 1, 2))
        degrees.append(degrees[-1] + step if -2 <= degrees[-1] + step <= 7 else degrees[-1] - step)
    return [*degrees, 0]


def _harmony(classes: Sequence[int]) -> list[Chord]:
    chords: list[Chord] = []
    for pitch_class in classes:
        fitting = [chord for chord in _CHORDS if pitch_class in chord.pitch_classes]
        other = [chord for chord in fitting if chord != chords[-1]] if chords else fitting
        chords.append((other or fitting)[0])
    return chords


def _piece(place: str, tonic: int, tune: Sequence[int], chords: Sequence[Chord]) -> Piece:
    moved = [chord.moved(tonic) for chord in chords]
    lines = (
        tune,
        [_near(_ALTO, chord.root + 7) for chord in moved],
        [_near(_TENOR, chord.root + (3 if chord.is_minor else 4)) for chord in moved],
        [_near(_BASS, chord.root) for chord in moved],
    )
    voices = tuple(tuple(Note(pitch, Fraction(at), Fraction(1)) for at, pitch in enumerate(line)) for line in lines)
    key = Key.of(NAMES[tonic], place)
    bars = tuple(Bar(Fraction(at), Fraction(at + 4), Fraction(4), key, (moved[at],)) for at in range(0, len(tune), 4))
    return Piece(place, voices, Fraction(len(tune)), bars)


def _near(centre: int, pitch_class: int) -> int:
    """The note of a pitch class that is nearest to another, in the half octave below or above."""
    return centre + (pitch_class - centre + 6) % 12 - 6
