"""Source code, and sentences about it, cut into words and marks of which the line can be written again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from typing_extensions import override

from datamodules.batch import SPECIAL_PIECES, UNK
from datamodules.tokenizers.protocol import Setting
from datamodules.tokenizers.symbols import SymbolTokenizer

_NAME = r"\w+"

_LITERAL = r"""(?:(?<!\w)|(?<=\b[bfruBFRU]))(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')(?!\w)"""
"""A string between quotes; an apostrophe within a word opens none, the prefix of a literal does not hinder one."""

_TOUCHING = ""
"""Between two words that no space parts, as r and "a" in r"a"."""


class CodeTokenizer(SymbolTokenizer):
    """Words and marks of code: ``f(x, 1)`` is ``f``, ``(``, ``x``, a comma with the space behind it, ``1``, ``)``.

    Words are letters, digits and underscores, and are the same symbol wherever they stand, so that names can be copied.
    Each other character is a symbol, with the space before it, or behind it where a word follows. One space between two
    words needs no symbol; more spaces are one of their own. ``decode(encode(x)) == x`` for every line whose symbols the
    vocabulary has.

    Args:
        literals: Whether a string between quotes is one word, quotes and all, that can be copied whole.
        min_frequency: Symbols that come less often in the training text are unknown.
        max_vocabulary_size: At most that many ids, the four reserved ones included; the most frequent symbols stay. A
            vocabulary that is joint or extended has others besides.
    """

    _separator = ""

    def __init__(self, literals: bool = False, min_frequency: int = 1, max_vocabulary_size: int | None = None) -> None:
        super().__init__(min_frequency, max_vocabulary_size)
        self._literals = literals
        word = f"(?:{_LITERAL}|{_NAME})" if literals else _NAME
        self._word = re.compile(word, re.DOTALL)
        self._atom = re.compile(
            rf"(?P<word>{word})|(?P<mark> ?(?!{word})[^ ](?: (?={word}))?)|(?P<between> (?={word}))|(?P<spaces> +)",
            re.DOTALL,
        )

    @override
    def settings(self) -> dict[str, Setting]:
        return {
            "literals": self._literals,
            "min_frequency": self._min_frequency,
            "max_vocabulary_size": self._max_vocabulary_size,
        }

    def joined(self, symbols: Iterable[str]) -> str:
        """The line of some symbols; between two words that follow each other stands a space."""
        parts: list[str] = []
        after_word = False
        for symbol in symbols:
            is_word = symbol == SPECIAL_PIECES[UNK] or self._word.fullmatch(symbol) is not None
            parts += [" ", symbol] if after_word and is_word else [symbol]
            after_word = is_word
        return "".join(parts)

    def _split(self, sentence: str) -> Iterator[str]:
        after_word = False
        for atom in self._atom.finditer(sentence):
            is_word = atom.lastgroup == "word"
            if after_word and is_word:
                yield _TOUCHING
            if not (after_word and atom.lastgroup == "between"):
                yield atom[0]
            after_word = is_word
