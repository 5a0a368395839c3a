"""Music that is typed as ABC, as a model of music is asked about it, and what the model answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from datamodules.errors import UserError
from datamodules.music.abc_reading import read_tunes
from datamodules.music.harmony import chord_name
from datamodules.music.notes import Piece
from datamodules.music.tasks.task import MusicTask


@dataclass(frozen=True)
class MusicView:
    """What a model of music is asked, and answers.

    Attributes:
        task: What it was trained for.
    """

    task: MusicTask

    def question(self, music: str) -> dict[str, Any]:
        """What the model is asked about a tune.

        Args:
            music: In ABC; the first tune counts.

        Returns:
            The ``source``, symbols between spaces, the ``length`` of an answer, and the ``piece`` itself.

        Raises:
            UserError: There is no tune, it cannot be read, or the model cannot be asked about it.
        """
        piece = _piece(music)
        question = self.task.question(piece)
        return {"source": question.source, "length": question.length, "piece": _told(piece)}

    def answer(self, music: str, symbols: list[str]) -> dict[str, Any]:
        """The music of an answer.

        Args:
            music: What was asked about.
            symbols: Of a hypothesis.

        Raises:
            UserError: As :meth:`question`; or the symbols are not as many as the answer has.
        """
        piece = _piece(music)
        length = self.task.question(piece).length
        if len(symbols) != length:
            raise UserError(f"symbols are {len(symbols)}, but an answer has {length}")
        return {"piece": _told(self.task.answer(piece, symbols))}


def _piece(music: str) -> Piece:
    first = next(read_tunes(music.splitlines(), "the music"), None)
    if first is None:
        raise UserError("the music has no tune with notes: type ABC")
    if isinstance(first, UserError):
        raise first
    return first


def _told(piece: Piece) -> dict[str, Any]:
    """A piece in quarter notes."""
    voices = [
        [{"pitch": note.pitch, "start": float(note.start), "duration": float(note.duration)} for note in voice]
        for voice in piece.voices
    ]
    bars = [{"start": float(bar.start), "chords": [chord_name(chord) for chord in bar.chords]} for bar in piece.bars]
    return {"voices": voices, "bars": bars, "length": float(piece.length)}
