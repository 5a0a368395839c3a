"""Voices that are given, and voices that are written to them, step by step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from datamodules.errors import UserError, suggest
from datamodules.music.notes import Piece
from datamodules.music.tasks.note_task import NoteTask
from datamodules.music.tasks.symbols import Grid, NoteSymbol, to_grid, to_voices
from datamodules.music.tasks.task import Question, check_least

_CHORALE = ("soprano", "alto", "tenor", "bass")


class Harmonisation(NoteTask):
    """Some voices to the others: a soprano to alto, tenor and bass.

    The target has the symbols of one step next to each other, so that each can follow from those of its chord, and
    stands at a known place: the t-th symbol belongs to step ``t // len(written)``.

    Args:
        voices: Names of all voices, the highest first.
        given: Those that the source has.
        written: Those that the target has, in the order in which they are written at each step.
        steps: Steps in a quarter note. What is shorter than a step is lost.
        beat: Steps after which the place in the beat, which the source tells, begins anew; 1 for none.
        segment: Steps of a pair: a piece is cut into pairs of so many; null for whole pieces.

    Raises:
        UserError: A number is below 1, or a name is that of no voice.
    """

    def __init__(
        self,
        voices: Sequence[str] = _CHORALE,
        given: Sequence[str] = _CHORALE[:1],
        written: Sequence[str] = _CHORALE[:0:-1],
        steps: int = 2,
        beat: int = 2,
        segment: int | None = 64,
    ) -> None:
        super().__init__(voices, steps, beat)
        check_least(self, segment=segment)
        self.given = list(given)
        self.written = list(written)
        self.segment = segment
        for name, chosen in (("given", self.given), ("written", self.written)):
            for voice in chosen:
                if voice not in self.voices:
                    raise UserError(f"{name} of Harmonisation: no voice is '{voice}'; {suggest(voice, self.voices)}")
            if not chosen:
                raise UserError(f"{name} of Harmonisation names no voice: name at least one of {', '.join(voices)}")
        if set(self.given) & set(self.written):
            raise UserError("given and written of Harmonisation have a voice in common: a voice is one or the other")

    @property
    def group(self) -> tuple[int, int]:
        """The voices that are given, and those that are written."""
        return len(self.given), len(self.written)

    def pairs(self, piece: Piece) -> Iterator[tuple[str, str]]:
        """A pair for each segment; see :meth:`MusicTask.pairs`."""
        grid = to_grid(piece, self.voices, self.steps)
        size = self.segment or len(grid)
        for start in range(0, len(grid), size):
            part = grid[start : start + size]
            yield self._source(part, self.given), _joined(self._chosen(part, self.written))

    def question(self, piece: Piece) -> Question:
        """A whole piece, which has the given voices alone, or all; see :meth:`MusicTask.question`."""
        grid = self._given_grid(piece)
        return Question(self._source(grid, self.given), len(grid) * len(self.written))

    def answer(self, piece: Piece, symbols: Sequence[str]) -> Piece:
        """All voices; see :meth:`MusicTask.answer`."""
        given = self._given_grid(piece)
        rows = self.rows(symbols, self.written)
        order = [voice for voice in self.voices if voice in (*self.given, *self.written)]
        grid: Grid = tuple(
            tuple({each.voice: each for each in (*step, *row)}[voice] for voice in order)
            for step, row in zip(given, rows, strict=True)
        )
        return replace(piece, voices=to_voices(grid, self.steps))

    def _given_grid(self, piece: Piece) -> Grid:
        if len(piece.voices) == len(self.given):
            return to_grid(piece, self.given, self.steps)
        if len(piece.voices) != len(self.voices):
            raise UserError(
                f"{piece.place}: {len(piece.voices)} voices, but the model is given {len(self.given)} "
                f"({', '.join(self.given)}): give a file with as many"
            )
        grid = to_grid(piece, self.voices, self.steps)
        return tuple(self._chosen(grid, self.given))

    def _chosen(self, grid: Grid, names: Sequence[str]) -> list[tuple[NoteSymbol, ...]]:
        columns = [self.voices.index(name) for name in names]
        return [tuple(step[column] for column in columns) for step in grid]

    def _source(self, grid: Grid, names: Sequence[str]) -> str:
        by_name = [{each.voice: each for each in step} for step in grid]
        return self.with_beats([tuple(step[name] for name in names) for step in by_name])


def _joined(grid: Sequence[Sequence[NoteSymbol]]) -> str:
    return " ".join(str(symbol) for step in grid for symbol in step)
