"""Lines of text as a translator takes them: the first of three steps, reader, translator, writers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING

from datamodules.batch import UNK
from datamodules.errors import UserError
from experiments.tools.translation.line_faults import LineFaults

if TYPE_CHECKING:
    from experiments.checkpoints.translator import Translator


@dataclass(frozen=True)
class SourceLine:
    """One line of the input.

    Attributes:
        number: Its number, from 1.
        text: The line itself.
        ids: The source ids and EOS; empty where the line has nothing but white space.
        prefix: The target ids that its hypotheses begin with.
        terms: The target ids of each phrase that its hypotheses have to have.
    """

    number: int
    text: str
    ids: list[int]
    prefix: list[int]
    terms: Sequence[list[int]] = ()


@dataclass(frozen=True)
class Companion:
    """A file with something for each line of the input.

    Attributes:
        option: The option that names it.
        name: What it is called, for messages.
        lines: Its lines, without their ends.
    """

    option: str
    name: str
    lines: Iterable[str]


class SourceLines:
    """Makes ids of lines, and says what is wrong with them.

    Args:
        translator: The translator, whose tokenizers and training lengths count.
        faults: What becomes of a line that is not as those of the training.
        name: What the input is called, for messages.
        max_length: The most tokens of a hypothesis; None for no limit of one's own.
    """

    def __init__(
        self,
        translator: Translator,
        faults: LineFaults,
        name: str,
        max_length: int | None = None,
    ) -> None:
        self._translator = translator
        self._faults = faults
        self._name = name
        self._max_length = max_length

    def read(
        self, texts: Iterable[str], prefixes: Companion | None = None, terms: Companion | None = None
    ) -> Iterator[SourceLine]:
        """The lines as ids.

        Args:
            texts: The lines, without their ends.
            prefixes: For each line what its translation begins with, as text; None for nothing.
            terms: For each line the phrases that its translation has to have, between tabs; None for none.

        Raises:
            UserError: A companion has more lines than there are or fewer; a prefix, or the terms of a line, are too
                long, or those of an empty line; a term cannot be spelled; or a line has no features, where the model
                reads some.
        """
        for number, (text, beside) in enumerate(self._with(texts, [prefixes, terms]), start=1):
            if self._faults.was_left_out(number):
                yield SourceLine(number, "", [], [])
                continue
            line = self._line(number, text, *beside[0])
            yield replace(line, terms=self._terms(line, *beside[1]))

    def _terms(self, line: SourceLine, text: str, name: str) -> list[list[int]]:
        """The ids of the phrases of a line."""
        phrases = [phrase for phrase in text.split("\t") if phrase.strip()]
        _, spelling = self._translator.spellings(line.text)
        ids = [spelling.encode(phrase) for phrase in phrases]
        for phrase, found in zip(phrases, ids, strict=True):
            if UNK in found or not found:
                raise UserError(f"{name}, line {line.number}: the model's vocabulary cannot spell the term {phrase!r}")
        if ids and not line.ids:
            raise UserError(f"line {line.number} is empty, but its --terms are not: an empty line stays empty")
        length = len(line.prefix) + sum(map(len, ids))
        if ids and self._max_length is not None and length > self._max_length:
            raise UserError(
                f"the --terms of line {line.number} have {length} tokens, with those of its --prefix, but a hypothesis "
                f"at most {self._max_length}: give fewer, or raise --max_length"
            )
        return ids

    def _line(self, number: int, text: str, beginning: str, prefix_name: str) -> SourceLine:
        translator, faults, place = self._translator, self._faults, f"{self._name}, line {number}"
        try:
            ids = translator.encode(text) if text.strip() else []
        except UserError as error:
            raise UserError(f"{place}: {error}") from error
        faults.check_excerpt(translator.reading, text, place)
        faults.check_length(len(ids) - 1, translator.longest_source, "source", place)
        faults.check_known(ids[:-1], "source", place)
        prefix = translator.spellings(text)[1].encode(beginning) if beginning.strip() else []
        if prefix and not ids:
            raise UserError(f"line {number} is empty, but its --prefix is not: an empty line stays empty")
        if self._max_length is not None and len(prefix) > self._max_length:
            raise UserError(
                f"the --prefix of line {number} has {len(prefix)} tokens, but a hypothesis at most {self._max_length}: "
                "shorten it, or raise --max_length"
            )
        faults.check_known(prefix, "prefix", f"{prefix_name}, line {number}")
        return SourceLine(number, text, ids, prefix)

    def _with(
        self, texts: Iterable[str], companions: Sequence[Companion | None]
    ) -> Iterator[tuple[str, list[tuple[str, str]]]]:
        """Each line, and of each companion its line, an empty one where there is none, and the companion's name."""
        there = [each for each in companions if each is not None]
        for number, (text, *rows) in enumerate(zip_longest(texts, *(each.lines for each in there)), start=1):
            for companion, row in zip(there, rows, strict=True):
                if text is None or row is None:
                    both = (self._name, companion.name)
                    shorter, longer = both if text is None else reversed(both)
                    raise UserError(
                        f"{shorter} ends after {number - 1:,} lines, but {longer} goes on: {companion.option} needs a "
                        "line for each line of the input, an empty one to force nothing"
                    )
            found = iter(rows)
            yield text, [("", "") if each is None else (next(found), each.name) for each in companions]
