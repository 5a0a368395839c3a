"""Writers of hypotheses: text, the n best, scores, attention. The last of three steps: reader, translator, writers."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO

from datamodules.batch import EOS
from datamodules.errors import UserError
from experiments.storage.outputs import write
from experiments.tools.translation.source_lines import SourceLine

if TYPE_CHECKING:
    from experiments.checkpoints.translator import Translator
    from lightning_modules.decoding.hypothesis import Hypothesis


class Writer(ABC):
    """Writes what was found for each line, in the order of the lines.

    Args:
        output: Where it is written.
        translator: The translator, whose tokenizers write.
    """

    def __init__(self, output: BinaryIO, translator: Translator) -> None:
        self._output = output
        self.translator = translator

    def write(self, lines: Sequence[SourceLine], found: Sequence[list[Hypothesis]]) -> None:
        """Writes some lines.

        Args:
            lines: The lines.
            found: For each its hypotheses, best first; none for an empty line.

        Raises:
            RunFailed: They cannot be written.
        """
        rows = (row for pair in zip(lines, found, strict=True) for row in self.rows(*pair))
        write(self._output, "".join(f"{row}\n" for row in rows).encode())

    @abstractmethod
    def rows(self, line: SourceLine, hypotheses: list[Hypothesis]) -> Iterator[str]:
        """The rows of a line, without their ends.

        Args:
            line: The line.
            hypotheses: What was found for it, best first; none for an empty line.
        """


class TextWriter(Writer):
    """The best hypothesis of each line; an empty line stays empty."""

    def rows(self, line: SourceLine, hypotheses: list[Hypothesis]) -> Iterator[str]:
        """One row."""
        yield self.translator.text(hypotheses[0], line.text) if hypotheses else ""


class NBestWriter(Writer):
    """All hypotheses: the line's number, the score, the text, between tabs."""

    def rows(self, line: SourceLine, hypotheses: list[Hypothesis]) -> Iterator[str]:
        """A row for each hypothesis; one for an empty line."""
        for each in hypotheses:
            yield f"{line.number}\t{each.score:.4f}\t{self.translator.text(each, line.text)}"
        if not hypotheses:
            yield f"{line.number}\t0\t"


class ScoreWriter(Writer):
    """The line's number, the score, the log-probability, the number of tokens with EOS, and the ids, between tabs."""

    def rows(self, line: SourceLine, hypotheses: list[Hypothesis]) -> Iterator[str]:
        """A row for each hypothesis; one for an empty line."""
        for each in hypotheses:
            numbers = f"{line.number}\t{each.score:.6f}\t{each.log_probability:.6f}\t{len(each.ids) + 1}"
            yield f"{numbers}\t{' '.join(map(str, each.ids))}"
        if not hypotheses:
            yield f"{line.number}\t0\t0\t0\t"


class AttentionWriter(Writer):
    """A JSON object for each hypothesis: line, pieces of both sides, and the weights, averaged over heads."""

    def rows(self, line: SourceLine, hypotheses: list[Hypothesis]) -> Iterator[str]:
        """A row for each hypothesis; none for an empty line.

        Raises:
            UserError: The model has no attention.
        """
        of_source, of_target = self.translator.spellings(line.text)
        for each in hypotheses:
            if each.attention is None:
                raise UserError("--attention: the model of this checkpoint has none; leave the option out")
            row = {
                "line": line.number,
                "source": of_source.pieces(line.ids),
                "hypothesis": of_target.pieces([*each.ids, EOS]),
                "attention": [[round(weight, 6) for weight in row] for row in each.attention.tolist()],
            }
            yield json.dumps(row, ensure_ascii=False)
