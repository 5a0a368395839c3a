"""What was said so far in a chat, as the source of the next answer."""

from __future__ import annotations

from datamodules.errors import UserError
from datamodules.excerpts import Excerpt, LastTurns


class Conversation:
    """The turns of a dialogue; of a model that reads none, each line alone.

    Args:
        excerpt: How much of a source the model reads, as its checkpoint says: ``LastTurns`` of a dialogue.
    """

    def __init__(self, excerpt: Excerpt | None) -> None:
        self._excerpt = excerpt
        self._turns: list[tuple[str, str]] = []
        self._acts = ""

    @property
    def keeps_turns(self) -> bool:
        """Whether the model reads what was said before."""
        return isinstance(self._excerpt, LastTurns)

    def demand(self, acts: str) -> None:
        """Says what the next answer has to say.

        Args:
            acts: As the training's sources begin.

        Raises:
            UserError: The model reads no turns, and so no acts before them.
        """
        if not self.keeps_turns:
            raise UserError("/acts: this model was not trained on dialogues, and reads each line alone")
        self._acts = acts

    def source(self, line: str) -> str:
        """The source of the answer to a line, which is kept.

        Args:
            line: What was said.
        """
        if not isinstance(self._excerpt, LastTurns):
            self._turns = [("", line)]
            return line
        self._turns.append((self._excerpt.markers[0], line))
        source = self._excerpt.joined(self._acts, self._turns)
        self._acts = ""
        return source

    def answered(self, answer: str) -> None:
        """Keeps an answer.

        Args:
            answer: To the line that was said last.
        """
        if isinstance(self._excerpt, LastTurns):
            self._turns.append((self._excerpt.markers[1], answer))

    def context(self) -> str:
        """What the model reads of what was said so far."""
        said = LastTurns.joined("", self._turns)
        return (said if self._excerpt is None else self._excerpt.of(said)).strip()

    def reset(self) -> None:
        """Forgets what was said."""
        self._turns = []
        self._acts = ""
