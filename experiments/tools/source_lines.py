"""Lines of text as a translator takes them: the first of three steps, reader, translator, writers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from datamodules.errors import UserError
from experiments.tools.line_faults import LineFaults

if TYPE_CHECKING:
    from experiments.checkpoints.translator import Translator


@dataclass(frozen=True)
class SourceLine:
    """One line of the input.

    Attributes:
        number: Its number, from 1.
        ids: The source ids and EOS; empty where the line has nothing but white space.
        prefix: The target ids that its hypotheses begin with.
    """

    number: int
    ids: list[int]
    prefix: list[int]


class SourceLines:
    """Makes ids of lines, and says what is wrong with them.

    Args:
        translator: The translator, whose tokenizers and training lengths count.
        faults: What becomes of a line that is not as those of the training.
        name: What the input is called, for messages.
        prefix_name: What the file of prefixes is called, for messages.
        max_length: The most tokens of a hypothesis; None for no limit of one's own.
    """

    def __init__(
        self,
        translator: Translator,
        faults: LineFaults,
        name: str,
        prefix_name: str = "",
        max_length: int | None = None,
    ) -> None:
        self._translator = translator
        self._faults = faults
        self._name = name
        self._prefix_name = prefix_name
        self._max_length = max_length

    def read(self, texts: Iterable[str], prefixes: Iterable[str] | None = None) -> Iterator[SourceLine]:
        """The lines as ids.

        Args:
            texts: The lines, without their ends.
            prefixes: For each line what its translation begins with, as text; None for nothing.

        Raises:
            UserError: There are more prefixes than lines or fewer, or one is too long, or that of an empty line; or a
                line has no features, where the model reads some.
        """
        for number, (text, beginning) in enumerate(self._paired(texts, prefixes), start=1):
            yield (
                SourceLine(number, [], []) if self._faults.was_left_out(number) else self._line(number, text, beginning)
            )

    def _line(self, number: int, text: str, beginning: str) -> SourceLine:
        translator, faults, place = self._translator, self._faults, f"{self._name}, line {number}"
        try:
            ids = translator.encode(text) if text.strip() else []
        except UserError as error:
            raise UserError(f"{place}: {error}") from error
        faults.check_length(len(ids) - 1, translator.longest_source, "source", place)
        faults.check_known(ids[:-1], "source", place)
        prefix = translator.target_tokenizer.encode(beginning) if beginning.strip() else []
        if prefix and not ids:
            raise UserError(f"line {number} is empty, but its --prefix is not: an empty line stays empty")
        if self._max_length is not None and len(prefix) > self._max_length:
            raise UserError(
                f"the --prefix of line {number} has {len(prefix)} tokens, but a hypothesis at most {self._max_length}: "
                "shorten it, or raise --max_length"
            )
        faults.check_known(prefix, "prefix", f"{self._prefix_name}, line {number}")
        return SourceLine(number, ids, prefix)

    def _paired(self, texts: Iterable[str], prefixes: Iterable[str] | None) -> Iterator[tuple[str, str]]:
        if prefixes is None:
            for text in texts:
                yield text, ""
            return
        for number, (text, prefix) in enumerate(zip_longest(texts, prefixes), start=1):
            if text is None or prefix is None:
                both = (self._name, self._prefix_name)
                shorter, longer = both if text is None else reversed(both)
                raise UserError(
                    f"{shorter} ends after {number - 1:,} lines, but {longer} goes on: --prefix needs a line for each "
                    "line of the input, an empty one to force nothing"
                )
            yield text, prefix
