"""What tasks share whose targets are notes on a grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from datamodules.music.tasks.symbols import Grid, NoteSymbol
from datamodules.music.tasks.task import MusicTask, check_least, check_voices


class NoteTask(MusicTask):
    """A task on a grid of notes.

    Args:
        voices: Names of all voices, the highest first.
        steps: Steps in a quarter note.
        beat: Steps after which the place in the beat, which the source tells, begins anew; 1 for none.

    Raises:
        UserError: A number is below 1, or a voice has no name of its own.
    """

    def __init__(self, voices: Sequence[str], steps: int, beat: int) -> None:
        self.voices = list(voices)
        self.steps = steps
        self.beat = beat
        check_voices(self, self.voices)
        check_least(self, steps=steps, beat=beat)

    def moved(self, symbol: str, semitones: int) -> str | None:
        """See :meth:`MusicTask.moved`."""
        note = NoteSymbol.of(symbol)
        moved = None if note is None else note.moved(semitones)
        return None if moved is None else str(moved)

    def kind(self, symbol: str) -> str | None:
        """The voice."""
        note = NoteSymbol.of(symbol)
        return None if note is None else note.voice

    def value(self, symbol: str) -> str:
        """The note that sounds, struck or held."""
        note = NoteSymbol.of(symbol)
        return symbol if note is None else str(NoteSymbol(note.voice, note.pitch))

    def with_beats(self, grid: Sequence[Sequence[NoteSymbol]]) -> str:
        """The symbols of a grid, each with its place in the beat.

        Args:
            grid: From the beginning of a beat on.
        """
        beats = [None if self.beat == 1 else step % self.beat for step in range(len(grid))]
        return " ".join(
            str(replace(symbol, beat=beat)) for beat, step in zip(beats, grid, strict=True) for symbol in step
        )

    def rows(self, symbols: Sequence[str], names: Sequence[str]) -> Grid:
        """The steps of an answer; what is no symbol of the voice whose turn it is holds the note before.

        Args:
            symbols: Those of one step after those of another.
            names: Of the voices, in the order in which a step has them.
        """
        lines = [list(_line(symbols[number :: len(names)], name)) for number, name in enumerate(names)]
        return tuple(zip(*lines, strict=True))


def _line(symbols: Sequence[str], name: str) -> Iterator[NoteSymbol]:
    last = NoteSymbol(name, None)
    for symbol in symbols:
        note = NoteSymbol.of(symbol)
        last = note if note is not None and note.voice == name else replace(last, held=last.pitch is not None)
        yield last
