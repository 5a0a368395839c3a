"""Notes, bars and pieces: what every reader makes and every writer takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from datamodules.errors import UserError
from datamodules.music.harmony import Chord, Key

LOWEST, HIGHEST = 0, 127
"""The numbers that MIDI has for notes; 60 is middle C."""


@dataclass(frozen=True)
class Note:
    """A note of one voice.

    Attributes:
        pitch: Its number in MIDI; 60 is middle C.
        start: Where it begins, in quarter notes from the beginning of the piece.
        duration: How long it lasts, in quarter notes.
    """

    pitch: int
    start: Fraction
    duration: Fraction

    @property
    def end(self) -> Fraction:
        """Where it ends, in quarter notes."""
        return self.start + self.duration


@dataclass(frozen=True)
class Bar:
    """What stands between two bar lines.

    Attributes:
        start: Where it begins, in quarter notes.
        end: Where it ends.
        metre: How long a whole bar is, in quarter notes: a pick-up is shorter.
        key: The key that is in force.
        chords: The chord symbols above it, in order; none where the last one goes on. None among them is where no chord
            goes with the notes any more.
    """

    start: Fraction
    end: Fraction
    metre: Fraction
    key: Key
    chords: tuple[Chord | None, ...] = ()


@dataclass(frozen=True)
class Piece:
    """A piece of music: voices of which each has one note at a time.

    Attributes:
        place: Where it was read, for messages: a file, and what in it.
        voices: The notes of each voice, in the order in which they begin; the highest voice first.
        length: In quarter notes.
        bars: Its bars; none where nothing tells them.
    """

    place: str
    voices: tuple[tuple[Note, ...], ...]
    length: Fraction
    bars: tuple[Bar, ...] = ()


def chords_in_force(piece: Piece) -> list[Chord | None]:
    """The chord that each bar begins with: its first symbol, or the last of the bars before; None where there is none.

    Args:
        piece: With bars.
    """
    found: list[Chord | None] = []
    last: Chord | None = None
    for bar in piece.bars:
        found.append(bar.chords[0] if bar.chords else last)
        last = bar.chords[-1] if bar.chords else last
    return found


def check_pitch(pitch: int, place: str) -> int:
    """Refuses what is no note of MIDI.

    Args:
        pitch: A note's number.
        place: Where it stands, for the error.

    Raises:
        UserError: It is outside 0 to 127.
    """
    if not LOWEST <= pitch <= HIGHEST:
        raise UserError(f"{place}: the note {pitch} is out of range: notes are numbered {LOWEST} to {HIGHEST}")
    return pitch


def monophonic(notes: Sequence[Note]) -> tuple[Note, ...]:
    """One note at a time: of those that begin together the highest, each until the next begins.

    Args:
        notes: In any order.
    """
    kept: list[Note] = []
    for note in sorted(notes, key=lambda each: (each.start, -each.pitch)):
        if kept and note.start == kept[-1].start:
            continue
        if kept and kept[-1].end > note.start:
            kept[-1] = Note(kept[-1].pitch, kept[-1].start, note.start - kept[-1].start)
        kept.append(note)
    return tuple(kept)
