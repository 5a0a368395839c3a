"""Notes on a grid as symbols between spaces: what goes through tokenizers, encoders and decoders."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from datamodules.errors import UserError
from datamodules.music.notes import HIGHEST, LOWEST, Note, Piece

_SYMBOL = re.compile(r"([^\s:]+):(?:(\d+)|r)(_?)(?:@(\d+))?")


@dataclass(frozen=True)
class NoteSymbol:
    """What a voice does at one step: ``alto:67`` strikes a note, ``alto:67_`` holds it, ``alto:r`` rests.

    Attributes:
        voice: Its name.
        pitch: The note's number in MIDI; None for a rest.
        held: Whether the note goes on from the step before.
        beat: The place of the step in the beat, ``@1``, where that is told.
    """

    voice: str
    pitch: int | None
    held: bool = False
    beat: int | None = None

    @staticmethod
    @lru_cache(maxsize=65_536)
    def of(text: str) -> NoteSymbol | None:
        """Reads a symbol; None for text that is none. The same few come again and again."""
        found = _SYMBOL.fullmatch(text)
        if found is None:
            return None
        voice, pitch, held, beat = found.groups()
        number, place = (None if each is None else int(each) for each in (pitch, beat))
        return NoteSymbol(voice, number, bool(held), place)

    def __str__(self) -> str:
        note = "r" if self.pitch is None else f"{self.pitch}{'_' * self.held}"
        return f"{self.voice}:{note}" + ("" if self.beat is None else f"@{self.beat}")

    def moved(self, semitones: int) -> NoteSymbol | None:
        """The symbol higher or lower; None where MIDI has no such note."""
        if self.pitch is None:
            return self
        pitch = self.pitch + semitones
        return replace(self, pitch=pitch) if LOWEST <= pitch <= HIGHEST else None


Grid = tuple[tuple[NoteSymbol, ...], ...]
"""A piece step by step: at each the symbol of every voice."""


def to_grid(piece: Piece, names: Sequence[str], steps: int) -> Grid:
    """A piece on a grid: what sounds where a step begins. Shorter notes between two steps are lost.

    Args:
        piece: Any piece.
        names: Of the voices, the highest first.
        steps: Steps in a quarter note.

    Raises:
        UserError: It has another number of voices.
    """
    if len(piece.voices) != len(names):
        raise UserError(
            f"{piece.place}: {len(piece.voices)} voices, but {len(names)} are expected ({', '.join(names)}): leave it "
            "out, or name as many in data.init_args.task.init_args.voices; of ABC, voice: 1 reads the first alone"
        )
    count = -(-piece.length * steps // 1)
    return tuple(
        zip(
            *(_line(voice, name, int(count), steps) for voice, name in zip(piece.voices, names, strict=True)),
            strict=True,
        )
    )


def _line(voice: Sequence[Note], name: str, count: int, steps: int) -> list[NoteSymbol]:
    """The symbols of one voice."""
    line: list[NoteSymbol] = []
    next_note = 0
    sounding: Note | None = None
    before: Note | None = None
    for step in range(count):
        moment = Fraction(step, steps)
        while next_note < len(voice) and voice[next_note].start <= moment:
            sounding = voice[next_note]
            next_note += 1
        heard = sounding if sounding is not None and sounding.end > moment else None
        held = heard is not None and before is not None and heard.start == before.start
        line.append(NoteSymbol(name, None if heard is None else heard.pitch, held))
        before = heard
    return line


def to_voices(grid: Grid, steps: int) -> tuple[tuple[Note, ...], ...]:
    """The notes of a grid, voice by voice.

    Args:
        grid: At least one step. A note that is held, but is another than before, is struck.
        steps: Steps in a quarter note.
    """
    return tuple(tuple(_notes(line, steps)) for line in zip(*grid, strict=True))


def _notes(line: Sequence[NoteSymbol], steps: int) -> Iterator[Note]:
    start = 0
    for step in range(1, len(line) + 1):
        if step < len(line) and line[step].pitch == line[start].pitch and line[step].held:
            continue
        pitch = line[start].pitch
        if pitch is not None:
            yield Note(pitch, Fraction(start, steps), Fraction(step - start, steps))
        start = step
