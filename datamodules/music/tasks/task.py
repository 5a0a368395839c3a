"""What is to be written of a piece: parts of a data module, each of which makes questions and reads answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from datamodules.errors import UserError
from datamodules.music.notes import Piece


@dataclass(frozen=True)
class Question:
    """What a model is asked about one piece.

    Attributes:
        source: Symbols between spaces.
        length: Number of symbols of the answer.
    """

    source: str
    length: int


class MusicTask(ABC):
    """Pairs of questions and answers from pieces, and a piece of music from an answer.

    A subclass keeps the arguments of its constructor as attributes of the same names: a checkpoint has them.
    """

    @property
    @abstractmethod
    def group(self) -> tuple[int, int]:
        """Source symbols and target symbols of one step, which stand at the same place of both."""

    @abstractmethod
    def pairs(self, piece: Piece) -> Iterator[tuple[str, str]]:
        """The pairs of source and target, symbols between spaces; none of a piece that is too short.

        Args:
            piece: Of a training, validation or test set.

        Raises:
            UserError: The piece has not what the task needs.
        """

    @abstractmethod
    def question(self, piece: Piece) -> Question:
        """What a trained model is asked about a piece of a user's.

        Args:
            piece: For example a melody alone.

        Raises:
            UserError: The piece has not what the task needs.
        """

    @abstractmethod
    def answer(self, piece: Piece, symbols: Sequence[str]) -> Piece:
        """The music of an answer.

        Args:
            piece: What was asked about.
            symbols: Of the answer, as many as the question has for length; one that says nothing in its place counts as
                nothing new.
        """

    @abstractmethod
    def moved(self, symbol: str, semitones: int) -> str | None:
        """A symbol, transposed; None where there is no such.

        Args:
            symbol: Of a source or a target.
            semitones: Upwards.
        """

    @abstractmethod
    def kind(self, symbol: str) -> str | None:
        """What is counted apart, such as a voice; None for what is not counted.

        Args:
            symbol: Of a target.
        """

    def value(self, symbol: str) -> str:
        """What has to be right of a symbol: all of it, if a subclass says nothing else.

        Args:
            symbol: Of a target.
        """
        return symbol


def check_least(task: MusicTask, least: int = 1, **given: int | None) -> None:
    """Refuses numbers that are too small.

    Args:
        task: Whose arguments they are.
        least: The least that each may be.
        given: By name; None is none.

    Raises:
        UserError: One is below.
    """
    for name, value in given.items():
        if value is not None and value < least:
            raise UserError(f"the {name} of {type(task).__name__} is {value}: give at least {least}")


def check_voices(task: MusicTask, voices: Sequence[str]) -> None:
    """Refuses names that cannot be told apart, or stand in no symbol.

    Raises:
        UserError: There is none, one comes twice, or has a space or a colon.
    """
    if not voices or len(set(voices)) < len(voices) or any(set(name) & set(": \t") or not name for name in voices):
        raise UserError(
            f"the voices of {type(task).__name__} are {', '.join(voices) or 'none'}: give names, each once, "
            "without spaces and colons"
        )
