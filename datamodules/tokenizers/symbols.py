"""Vocabularies of symbols: what a text is split into, each with an id."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from typing_extensions import override

from datamodules.batch import BOS, EOS, PAD, SPECIAL_PIECES, UNK
from datamodules.errors import UserError
from datamodules.tokenizers.protocol import Tokenizer, untrained


class SymbolTokenizer(Tokenizer):
    """A vocabulary of symbols seen in training, the most frequent first; subclasses say what a symbol is.

    Symbols may be added to a trained vocabulary: the ids of the others stay.
    """

    _separator: str
    """Between the symbols of a sentence; no symbol contains it unless it is empty."""

    def __init__(self, min_frequency: int, max_vocabulary_size: int | None) -> None:
        if min_frequency < 1:
            raise UserError(f"min_frequency is {min_frequency}: give at least 1")
        if max_vocabulary_size is not None and max_vocabulary_size <= len(SPECIAL_PIECES):
            raise UserError(
                f"max_vocabulary_size is {max_vocabulary_size}: {len(SPECIAL_PIECES)} are reserved, so give more"
            )
        self._min_frequency = min_frequency
        self._max_vocabulary_size = max_vocabulary_size
        self._symbols: list[str] = []
        self._ids: dict[str, int] = {}

    @abstractmethod
    def _split(self, sentence: str) -> Iterable[str]:
        """The symbols of a sentence."""

    @property
    @override
    def vocabulary_size(self) -> int:
        if not self._ids:
            raise untrained(self)
        return len(self._symbols)

    @property
    def symbols(self) -> list[str]:
        """The symbols in the order of their ids, those of the reserved ids left out."""
        return self._symbols[len(SPECIAL_PIECES) :]

    @override
    def train(self, sentences: Iterable[str]) -> None:
        counts: Counter[str] = Counter()
        for sentence in sentences:
            counts.update(self._split(sentence))
        if not counts:
            raise UserError("the training text is empty: there is nothing to learn a vocabulary from")
        frequent = self._frequent(counts)
        if not frequent:
            raise UserError(
                f"min_frequency is {self._min_frequency}, but the most frequent symbol of the training text comes "
                f"{max(counts.values())} times: lower it"
            )
        if self._max_vocabulary_size is not None:
            frequent = frequent[: self._max_vocabulary_size - len(SPECIAL_PIECES)]
        self.take(frequent)

    def _frequent(self, counts: Mapping[str, int]) -> list[str]:
        """The symbols that come often enough, the most frequent first."""
        return sorted(
            (symbol for symbol, count in counts.items() if count >= self._min_frequency),
            key=lambda symbol: (-counts[symbol], symbol),
        )

    def take(self, symbols: Iterable[str]) -> None:
        """Takes other symbols in place of those that it has.

        Args:
            symbols: Each once, in the order of their ids.
        """
        self._symbols = [*SPECIAL_PIECES, *symbols]
        self._ids = {
            symbol: id_ for id_, symbol in enumerate(self._symbols[len(SPECIAL_PIECES) :], start=len(SPECIAL_PIECES))
        }

    def extend(self, counts: Mapping[str, int]) -> list[str]:
        """Adds the symbols of another text after those that there are, however many ``max_vocabulary_size`` allows.

        Args:
            counts: How often each symbol comes there. Those below ``min_frequency`` stay unknown.

        Returns:
            What is new, the most frequent first.
        """
        added = [symbol for symbol in self._frequent(counts) if symbol not in self._ids]
        self.take([*self.symbols, *added])
        return added

    @override
    def encode(self, sentence: str) -> list[int]:
        if not self._ids:
            raise untrained(self)
        return [self._ids.get(symbol, UNK) for symbol in self._split(sentence)]

    @override
    def unknown(self, sentence: str) -> list[str]:
        return [symbol for symbol in self._split(sentence) if symbol not in self._ids]

    @override
    def decode(self, ids: Iterable[int]) -> str:
        return self.joined(self.pieces(id_ for id_ in ids if id_ not in (PAD, BOS, EOS)))

    def joined(self, symbols: Iterable[str]) -> str:
        """The sentence of some symbols."""
        return self._separator.join(symbols)

    @override
    def pieces(self, ids: Iterable[int]) -> list[str]:
        if not self._ids:
            raise untrained(self)
        return [self._symbols[int(id_)] for id_ in ids]

    @override
    def trained_state(self) -> dict[str, str | bytes]:
        if not self._ids:
            raise untrained(self)
        joined = self._separator.join(self._ids)
        if list(self._split(joined)) == self.symbols:
            return {"symbols": joined}
        return {"shared_symbols": json.dumps(self.symbols)}  # some are those of a tokenizer that splits otherwise

    @override
    def load_trained_state(self, state: Mapping[str, Any]) -> None:
        symbols = self._shared(state) if "shared_symbols" in state else self._own(state)
        if not symbols:
            raise UserError(f"damaged state of a {type(self).__name__}: its vocabulary is missing")
        self.take(symbols)

    def _own(self, state: Mapping[str, Any]) -> list[str]:
        symbols = state.get("symbols")
        return list(self._split(symbols)) if isinstance(symbols, str) else []

    def _shared(self, state: Mapping[str, Any]) -> list[str]:
        try:
            symbols = json.loads(state["shared_symbols"])
        except (TypeError, ValueError):
            return []
        is_list = isinstance(symbols, list) and all(isinstance(symbol, str) for symbol in symbols)
        return symbols if is_list and len(set(symbols)) == len(symbols) else []


def share_symbols(source: SymbolTokenizer, target: SymbolTokenizer) -> None:
    """Gives two trained tokenizers one vocabulary: the symbols of the source, then those of the target alone.

    Args:
        source: Its ids stay, and more are added.
        target: Its ids become those of the source.
    """
    has = set(source.symbols)
    source.take([*source.symbols, *(symbol for symbol in target.symbols if symbol not in has)])
    target.take(source.symbols)


def of_symbols(tokenizer: Tokenizer, wanted: str) -> SymbolTokenizer:
    """A tokenizer whose vocabulary can take symbols that it did not learn itself.

    Args:
        tokenizer: Any.
        wanted: What it is to do, for the message.

    Raises:
        UserError: It is of another kind.
    """
    if not isinstance(tokenizer, SymbolTokenizer):
        raise UserError(
            f"{wanted}, but a {type(tokenizer).__name__} has the pieces alone that it learnt together: take a "
            "WhitespaceTokenizer, a CharacterTokenizer or a CodeTokenizer, or leave it out"
        )
    return tokenizer
