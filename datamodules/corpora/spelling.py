"""How one pair is spelled: by the tokenizers alone, or with ids more for what they lack of its source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from datamodules.batch import BOS, EOS, PAD, UNK
from datamodules.errors import UserError
from datamodules.tokenizers import Tokenizer
from datamodules.tokenizers.symbols import SymbolTokenizer, of_symbols

SETTING = "data.init_args.copy_unknown is true"


class Spelling(Protocol):
    """Text to ids and back, as a :class:`Tokenizer` does it."""

    @property
    def vocabulary_size(self) -> int:
        """Number of ids, the reserved ones included."""

    def encode(self, sentence: str) -> list[int]:
        """The ids of a sentence."""

    def decode(self, ids: Iterable[int]) -> str:
        """The sentence of ids."""

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """One string to show for each id."""


class ExtendedSpelling:
    """A vocabulary and, after it, ids for the symbols that it lacks of one source (See et al. 2017, section 2.2).

    The paper calls both together the extended vocabulary. The ids above the vocabulary's own mean something for one
    source alone: another source has the same ids for other symbols.

    Args:
        tokenizer: Has the vocabulary; trained.
        symbols: What it lacks of the source, each once, in the order of their ids.
    """

    def __init__(self, tokenizer: SymbolTokenizer, symbols: Sequence[str]) -> None:
        self._tokenizer = tokenizer
        self._known = tokenizer.vocabulary_size
        self._symbols = symbols
        self._ids = {symbol: id_ for id_, symbol in enumerate(symbols, start=self._known)}

    @property
    def vocabulary_size(self) -> int:
        """Number of ids, those of the source's own symbols included."""
        return self._known + len(self._symbols)

    def encode(self, sentence: str) -> list[int]:
        """The ids of a sentence; UNK for what neither the vocabulary nor the source has."""
        unknown = iter(self._tokenizer.unknown(sentence))
        return [self._ids.get(next(unknown), UNK) if id_ == UNK else id_ for id_ in self._tokenizer.encode(sentence)]

    def decode(self, ids: Iterable[int]) -> str:
        """The sentence of ids; PAD, BOS and EOS are dropped."""
        return self._tokenizer.joined(self.pieces(id_ for id_ in ids if id_ not in (PAD, BOS, EOS)))

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """One string to show for each id, the reserved ones included."""
        listed = [int(id_) for id_ in ids]
        known = self._tokenizer.pieces(id_ if id_ < self._known else UNK for id_ in listed)
        return [
            piece if id_ < self._known else self._symbols[id_ - self._known]
            for id_, piece in zip(listed, known, strict=True)
        ]


def spellings(source: Tokenizer, target: Tokenizer, sentence: str) -> tuple[Spelling, Spelling]:
    """How a source and its targets are spelled, where what the vocabulary lacks of the source has ids of its own.

    Args:
        source: The trained tokenizer of the source.
        target: That of the target, with the same vocabulary.
        sentence: The source.

    Returns:
        Of source and target; the tokenizers themselves where they lack nothing of the source.

    Raises:
        UserError: A tokenizer has no vocabulary of symbols.
    """
    one, other = (of_symbols(tokenizer, SETTING) for tokenizer in (source, target))
    symbols = tuple(dict.fromkeys(one.unknown(sentence)))
    return (ExtendedSpelling(one, symbols), ExtendedSpelling(other, symbols)) if symbols else (source, target)


def check_copyable(source: Tokenizer, target: Tokenizer, is_joint: bool) -> None:
    """Refuses tokenizers, trained or not, whose unknown symbols cannot be copied from source to target.

    Args:
        source: Tokenizer of the source.
        target: That of the target, or the same one.
        is_joint: Whether both have, or will have, one vocabulary.

    Raises:
        UserError: One has no vocabulary of symbols, or each has a vocabulary of its own.
    """
    for tokenizer in (source, target):
        of_symbols(tokenizer, SETTING)
    if not is_joint:
        raise UserError(
            f"{SETTING}, but source and target have a vocabulary each: leave target_tokenizer out, or add "
            "joint_vocabulary: true"
        )
