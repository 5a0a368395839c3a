"""A chord for each bar of a tune."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from datamodules.errors import UserError
from datamodules.music.harmony import OCTAVE, Chord
from datamodules.music.notes import Bar, Piece, chords_in_force
from datamodules.music.tasks.task import MusicTask, Question, check_least

NO_CHORD = "none"
"""What is written for a bar without a chord: before the first one, or where none goes on."""

_Span = tuple[int, int, int]
"""Beginning, end and pitch of a note."""

_NOTE = re.compile(r"(\d+)(_?)")
_CHORD = re.compile(r"chord:(\d+)(m?)")


class BarChords(MusicTask):
    """The melody of each bar to the chord that the bar begins with.

    The source has equally many symbols for each bar: its length, and what sounds in the middle of each of ``slots``
    equal parts of a whole bar. A first bar that is shorter, a pick-up, ends with the last part; a bar that is longer is
    parted by its own length. The target has one symbol for each bar: root and minor. A bar without a chord symbol goes
    on with the chord before.

    Args:
        slots: Parts of a bar. 12 tell eighth notes in all usual metres.
        relative: Whether notes and roots are semitones above the tonic of the key; else above C.

    Raises:
        UserError: There is no part.
    """

    def __init__(self, slots: int = 12, relative: bool = True) -> None:
        check_least(self, slots=slots)
        self.slots = slots
        self.relative = relative

    @property
    def group(self) -> tuple[int, int]:
        """The symbols of a bar, and its chord."""
        return self.slots + 1, 1

    def pairs(self, piece: Piece) -> Iterator[tuple[str, str]]:
        """One pair; none of a piece without chords. See :meth:`MusicTask.pairs`."""
        chords = chords_in_force(piece)
        if any(chords):
            tonics = (self._tonic(bar) for bar in piece.bars)
            yield (
                self._source(piece),
                " ".join(
                    map(_symbol, (chord and chord.moved(-tonic) for chord, tonic in zip(chords, tonics, strict=True)))
                ),
            )

    def question(self, piece: Piece) -> Question:
        """The whole tune; see :meth:`MusicTask.question`."""
        if not piece.bars:
            raise UserError(f"{piece.place} has no bars: give a tune in ABC, which has bar lines")
        return Question(self._source(piece), len(piece.bars))

    def answer(self, piece: Piece, symbols: Sequence[str]) -> Piece:
        """The tune with a chord above each bar where it changes; see :meth:`MusicTask.answer`."""
        bars: list[Bar] = []
        before: Chord | None = None
        for bar, symbol in zip(piece.bars, symbols, strict=True):
            found = _CHORD.fullmatch(symbol)
            chord = Chord(int(found[1]), bool(found[2])).moved(self._tonic(bar)) if found else before
            chord = None if symbol == NO_CHORD else chord
            bars.append(replace(bar, chords=(chord,) if chord != before else ()))
            before = chord
        return replace(piece, bars=tuple(bars))

    def moved(self, symbol: str, semitones: int) -> str | None:
        """See :meth:`MusicTask.moved`; above the tonic nothing changes."""
        if self.relative:
            return symbol
        if found := _NOTE.fullmatch(symbol):
            return f"{(int(found[1]) + semitones) % OCTAVE}{found[2]}"
        if found := _CHORD.fullmatch(symbol):
            return f"chord:{(int(found[1]) + semitones) % OCTAVE}{found[2]}"
        return symbol

    def kind(self, symbol: str) -> str | None:
        """Chords are counted; bars without one are not."""
        return None if symbol == NO_CHORD else "chord"

    def _tonic(self, bar: Bar) -> int:
        return bar.key.tonic if self.relative else 0

    def _source(self, piece: Piece) -> str:
        parts = _whole_numbers(piece, 2 * self.slots)
        return " ".join(
            symbol
            for number, (bar, (start, end, metre, notes)) in enumerate(zip(piece.bars, parts, strict=True))
            for symbol in (f"length:{bar.metre}", *self._slots(notes, start, end, metre, number == 0, self._tonic(bar)))
        )

    def _slots(
        self, notes: Sequence[_Span], start: int, end: int, metre: int, is_first: bool, tonic: int
    ) -> Iterator[str]:
        """What sounds in the middle of each part of a bar, of the notes that sound in it."""
        whole = max(metre, end - start)
        begins = end - whole if is_first else start
        before = None
        for slot in range(self.slots):
            moment = begins + whole * (2 * slot + 1) // (2 * self.slots)
            heard = next((note for note in notes if note[0] <= moment < note[1]), None)
            if not start <= moment < end:
                heard = None
            yield "r" if heard is None else f"{(heard[2] - tonic) % OCTAVE}{'_' if heard == before else ''}"
            before = heard


def _whole_numbers(piece: Piece, parts: int) -> Iterator[tuple[int, int, int, list[_Span]]]:
    """Beginning, end and metre of each bar, and the notes that sound in it, in a unit of which all are multiples.

    Args:
        piece: With bars.
        parts: In how many a bar has to be parted in that unit.
    """
    times = [time for bar in piece.bars for time in (bar.start, bar.end, bar.metre)]
    times += [time for note in piece.voices[0] for time in (note.start, note.end)]
    unit = parts * math.lcm(*{time.denominator for time in times})
    notes = [(_times(note.start, unit), _times(note.end, unit), note.pitch) for note in piece.voices[0]]
    first = last = 0
    for bar in piece.bars:
        start, end = _times(bar.start, unit), _times(bar.end, unit)
        while first < len(notes) and notes[first][1] <= start:
            first += 1
        while last < len(notes) and notes[last][0] < end:
            last += 1
        yield start, end, _times(bar.metre, unit), notes[first:last]


def _times(time: Fraction, unit: int) -> int:
    return time.numerator * (unit // time.denominator)


def _symbol(chord: Chord | None) -> str:
    return NO_CHORD if chord is None else f"chord:{chord.root}{'m' * chord.is_minor}"
