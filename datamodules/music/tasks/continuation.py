"""A piece goes on: some bars to those that follow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from datamodules.errors import UserError
from datamodules.music.notes import Piece
from datamodules.music.tasks.note_task import NoteTask
from datamodules.music.tasks.symbols import to_grid, to_voices
from datamodules.music.tasks.task import Question, check_least


class Continuation(NoteTask):
    """A phrase of all voices to the phrase that follows, as long.

    The symbols of a step are next to each other. A decoder that reads the source at its own place sees what was there a
    phrase before; one that attends finds what comes back.

    Args:
        voices: Names of all voices, the highest first; one for tunes.
        steps: Steps in a quarter note. What is shorter than a step is lost.
        beat: Steps after which the place in the beat, which the source tells, begins anew; 1 for none.
        phrase: Steps of a phrase.

    Raises:
        UserError: A number is below 1, or a voice has no name of its own.
    """

    def __init__(self, voices: Sequence[str] = ("melody",), steps: int = 2, beat: int = 2, phrase: int = 32) -> None:
        super().__init__(voices, steps, beat)
        check_least(self, phrase=phrase)
        self.phrase = phrase

    @property
    def group(self) -> tuple[int, int]:
        """All voices, on both sides: a step and that a phrase later."""
        return len(self.voices), len(self.voices)

    def pairs(self, piece: Piece) -> Iterator[tuple[str, str]]:
        """A pair for each two phrases that follow one another; see :meth:`MusicTask.pairs`."""
        grid = to_grid(piece, self.voices, self.steps)
        for middle in range(self.phrase, len(grid), self.phrase):
            target = grid[middle : middle + self.phrase]
            source = self.with_beats(grid[middle - self.phrase : middle])
            yield source, " ".join(str(symbol) for step in target for symbol in step)

    def question(self, piece: Piece) -> Question:
        """The last phrase; see :meth:`MusicTask.question`."""
        grid = to_grid(piece, self.voices, self.steps)
        if len(grid) < self.phrase:
            raise UserError(
                f"{piece.place}: {len(grid)} steps, but the model goes on from {self.phrase}: give a longer beginning"
            )
        return Question(self.with_beats(grid[-self.phrase :]), self.phrase * len(self.voices))

    def answer(self, piece: Piece, symbols: Sequence[str]) -> Piece:
        """The piece, and what follows; see :meth:`MusicTask.answer`."""
        begun = to_grid(piece, self.voices, self.steps)
        grid = (*begun, *self.rows(symbols, self.voices))
        return replace(piece, voices=to_voices(grid, self.steps), length=Fraction(len(grid), self.steps), bars=())
