"""What can be counted of a piece without knowing what is right: ranges, repeats, parallels, chord tones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from datamodules.music.harmony import OCTAVE, Chord
from datamodules.music.notes import Note, Piece, chords_in_force

_FIFTH = 7
_TRIADS = tuple(Chord(root, is_minor) for root in range(OCTAVE) for is_minor in (False, True))


@dataclass(frozen=True)
class Statistics:
    """Sums over pieces.

    Attributes:
        lowest: The lowest note of each voice; None without any.
        highest: The highest.
        notes: Number of notes.
        repeated: Those that are the same as the note before in their voice.
        motions: Pairs of voices at a place where both move on to another note.
        parallel_fifths: Those that are a fifth apart, whatever octaves between, before and after.
        parallel_octaves: Those that are in unison or octaves before and after.
        moments: Beginnings of notes with at least three voices, or notes of a tune with a chord.
        consonant: Those whose notes all belong to one major or minor triad; of a tune, those that belong to the chord.
    """

    lowest: tuple[int | None, ...]
    highest: tuple[int | None, ...]
    notes: int
    repeated: int
    motions: int
    parallel_fifths: int
    parallel_octaves: int
    moments: int
    consonant: int

    def lines(self, names: Sequence[str]) -> list[str]:
        """The statistics in words.

        Args:
            names: Of the voices.
        """
        ranges = ", ".join(
            f"{name} {low} to {high}" for name, low, high in zip(names, self.lowest, self.highest, strict=True)
        )
        shares = {
            "repeated notes": (self.repeated, self.notes),
            "parallel fifths": (self.parallel_fifths, self.motions),
            "parallel octaves": (self.parallel_octaves, self.motions),
            "chord tones": (self.consonant, self.moments),
        }
        told = [f"{name} {part / whole:.1%} of {whole:,}" for name, (part, whole) in shares.items() if whole]
        return [f"range: {ranges}", "; ".join(told)]


def statistics(pieces: Iterable[Piece]) -> Statistics:
    """Counts over pieces.

    Args:
        pieces: At least one, all with as many voices.
    """
    found = [_of_piece(piece) for piece in pieces]
    lowest = tuple(min((low for low in each if low is not None), default=None) for each in _columns(found, "lowest"))
    highest = tuple(max((top for top in each if top is not None), default=None) for each in _columns(found, "highest"))
    names = ("notes", "repeated", "motions", "parallel_fifths", "parallel_octaves", "moments", "consonant")
    return Statistics(lowest, highest, *(sum(getattr(each, name) for each in found) for name in names))


def _columns(found: Sequence[Statistics], name: str) -> list[tuple[int | None, ...]]:
    return list(zip(*(getattr(each, name) for each in found), strict=True))


def _of_piece(piece: Piece) -> Statistics:
    pitches = [[note.pitch for note in voice] for voice in piece.voices]
    intervals = [(before, after) for before, after in _motions(piece)]
    moments = _moments(piece)
    return Statistics(
        tuple(min(line, default=None) for line in pitches),
        tuple(max(line, default=None) for line in pitches),
        sum(map(len, pitches)),
        sum(one == other for line in pitches for one, other in pairwise(line)),
        len(intervals),
        sum(before == after == _FIFTH for before, after in intervals),
        sum(before == after == 0 for before, after in intervals),
        len(moments),
        sum(moments),
    )


def _motions(piece: Piece) -> list[tuple[int, int]]:
    """The intervals of two voices, within an octave, before and after both have moved at once."""
    return [
        ((one.pitch - other.pitch) % OCTAVE, (next_one.pitch - next_other.pitch) % OCTAVE)
        for upper, lower in combinations(piece.voices, 2)
        for (one, next_one), (other, next_other) in _together(upper, lower)
        if one.pitch != next_one.pitch and other.pitch != next_other.pitch
    ]


def _together(upper: Sequence[Note], lower: Sequence[Note]) -> Iterable[tuple[tuple[Note, Note], tuple[Note, Note]]]:
    """Each step of one voice with that of another which happens at the same time."""
    steps = {after.start: (before, after) for before, after in pairwise(lower)}
    return ((step, steps[step[1].start]) for step in pairwise(upper) if step[1].start in steps)


def _moments(piece: Piece) -> list[bool]:
    """Whether the notes fit a chord: of a tune that above it, of three voices or more any triad."""
    if len(piece.voices) >= 3:
        return [any(heard <= triad.pitch_classes for triad in _TRIADS) for heard in _sonorities(piece)]
    chords = list(zip(piece.bars, chords_in_force(piece), strict=True))
    return [
        note.pitch % OCTAVE in chord.pitch_classes
        for bar, chord in chords
        if chord is not None and len(bar.chords) < 2
        for note in piece.voices[0]
        if bar.start <= note.start < bar.end
    ]


def _sonorities(piece: Piece) -> list[frozenset[int]]:
    """The pitch classes that sound where a note begins, of at least three voices."""
    starts = sorted({note.start for voice in piece.voices for note in voice})
    found: list[frozenset[int]] = []
    at = [0] * len(piece.voices)
    for start in starts:
        sounding = []
        for number, voice in enumerate(piece.voices):
            while at[number] < len(voice) and voice[at[number]].end <= start:
                at[number] += 1
            if at[number] < len(voice) and voice[at[number]].start <= start:
                sounding.append(voice[at[number]].pitch % OCTAVE)
        if len(sounding) >= 3:
            found.append(frozenset(sounding))
    return found
