"""Text to ids and back: one protocol; SentencePiece, whitespace and character tokenizers."""

from __future__ import annotations

import hashlib
import importlib
import io
import itertools
import json
import math
import random
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from datamodules.batch import BOS, EOS, PAD, SPECIAL_PIECES, UNK
from datamodules.errors import UserError, suggest

if TYPE_CHECKING:
    import sentencepiece

Setting = str | int | float | None
"""What a tokenizer's constructor takes: plain values, so that a checkpoint can hold them."""


class Tokenizer(ABC):
    """Turns a sentence into ids and back, after it was trained on text.

    A subclass has a constructor of plain values, which :meth:`settings` gives back, and a trained state of plain
    values. The ids below ``len(SPECIAL_PIECES)`` are reserved for all tokenizers alike; see :mod:`datamodules.batch`.
    """

    @property
    @abstractmethod
    def vocabulary_size(self) -> int:
        """Number of ids, the reserved ones included.

        Raises:
            RuntimeError: It was not trained yet.
        """

    @abstractmethod
    def settings(self) -> dict[str, Setting]:
        """The constructor's arguments by name."""

    @abstractmethod
    def train(self, sentences: Iterable[str]) -> None:
        """Learns the vocabulary; what was learnt before is forgotten.

        Args:
            sentences: The training text, read once.

        Raises:
            UserError: The text is empty, or does not fit the settings.
        """

    @abstractmethod
    def encode(self, sentence: str) -> list[int]:
        """The ids of a sentence; of the reserved ones only UNK, for what the vocabulary lacks."""

    def encode_all(self, sentences: list[str]) -> list[list[int]]:
        """The ids of several sentences, those of :meth:`encode`; where a tokenizer can, by several threads."""
        return [self.encode(sentence) for sentence in sentences]

    @abstractmethod
    def decode(self, ids: Iterable[int]) -> str:
        """The sentence of ids; PAD, BOS and EOS are dropped, UNK becomes ``<unk>``."""

    @abstractmethod
    def pieces(self, ids: Iterable[int]) -> list[str]:
        """One string to show for each id, the reserved ones included: ``</s>`` for EOS."""

    def merges(self) -> dict[int, tuple[int, int]]:
        """For each piece that was merged of two others, those two; empty where nothing is merged."""
        return {}

    @abstractmethod
    def trained_state(self) -> dict[str, str | bytes]:
        """What training made, as plain values.

        Raises:
            RuntimeError: It was not trained yet.
        """

    @abstractmethod
    def load_trained_state(self, state: Mapping[str, Any]) -> None:
        """Takes over what :meth:`trained_state` gave."""

    def state_dict(self) -> dict[str, Any]:
        """The settings and the trained state, as plain values only: ``torch.load(weights_only=True)`` reads them.

        Raises:
            RuntimeError: It was not trained yet.
        """
        return {"settings": self.settings(), "trained": self.trained_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes over the trained state of a tokenizer of the same class and settings.

        Args:
            state: What :meth:`state_dict` gave.

        Raises:
            UserError: The state is of other settings, or damaged.
        """
        try:
            settings, trained = state["settings"], state["trained"]
        except (KeyError, TypeError) as error:
            raise UserError(f"damaged state of a {type(self).__name__}: it has no settings or no vocabulary") from error
        if settings != self.settings():
            raise UserError(f"the state of a {type(self).__name__} with {settings} does not fit {self.settings()}")
        self.load_trained_state(trained)

    def describe(self) -> dict[str, Any]:
        """The class and the state, for a checkpoint; :func:`restore_tokenizer` makes the tokenizer from it."""
        return {"class_path": class_path(self), "state": self.state_dict()}

    def fingerprint(self) -> str:
        """SHA-256 (hex) over class, settings and trained state: equal where the ids of every sentence are equal."""
        canonical = json.dumps(self.describe(), sort_keys=True, default=bytes.hex)
        return hashlib.sha256(canonical.encode()).hexdigest()


class SentencePieceTokenizer(Tokenizer):
    """Subwords learnt by SentencePiece (Kudo and Richardson, 2018), without normalisation.

    ``decode(encode(x)) == x`` for every sentence of characters that the training text had, spaces at its ends and in
    a row included. The exceptions are U+2581, SentencePiece's own sign for a space, which comes back as a space, and
    U+2585, its sign for an unknown character.

    Args:
        vocabulary_size: Number of pieces, the four reserved ones included.
        model_type: How pieces are chosen: merges of frequent pairs (``bpe``), or the likeliest ones (``unigram``).
        character_coverage: Share of the training text's characters, by count, that get a piece of their own; the
            rest are unknown.
        max_training_sentences: The most sentences that the pieces are trained on; from a longer training text that many
            are chosen at random.
    """

    def __init__(
        self,
        vocabulary_size: int = 8000,
        model_type: Literal["bpe", "unigram"] = "bpe",
        character_coverage: float = 1.0,
        max_training_sentences: int = 2_000_000,
    ) -> None:
        if vocabulary_size <= len(SPECIAL_PIECES):
            raise UserError(f"vocabulary_size is {vocabulary_size}: {len(SPECIAL_PIECES)} are reserved, so give more")
        if not 0.0 < character_coverage <= 1.0:
            raise UserError(f"character_coverage is {character_coverage}: give a share above 0 and up to 1")
        if max_training_sentences < 1:
            raise UserError(f"max_training_sentences is {max_training_sentences}: give at least 1")
        self._wanted_size = vocabulary_size
        self._model_type = model_type
        self._character_coverage = character_coverage
        self._max_training_sentences = max_training_sentences
        self._processor: sentencepiece.SentencePieceProcessor | None = None

    @property
    def vocabulary_size(self) -> int:  # noqa: D102
        return self._trained().get_piece_size()

    def settings(self) -> dict[str, Setting]:  # noqa: D102
        return {
            "vocabulary_size": self._wanted_size,
            "model_type": self._model_type,
            "character_coverage": self._character_coverage,
            "max_training_sentences": self._max_training_sentences,
        }

    def train(self, sentences: Iterable[str]) -> None:  # noqa: D102
        import sentencepiece  # whoever has another tokenizer does without

        sample = _sample((sentence for sentence in sentences if sentence), self._max_training_sentences)
        if not sample:
            raise UserError("the training text is empty: there is nothing to learn a vocabulary from")
        model = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(sample),
                model_writer=model,
                vocab_size=self._wanted_size,
                model_type=self._model_type,
                character_coverage=self._character_coverage,
                normalization_rule_name="identity",
                remove_extra_whitespaces=False,
                max_sentence_length=2**30,  # bytes; longer sentences would be left out without a word
                pad_id=PAD,
                bos_id=BOS,
                eos_id=EOS,
                unk_id=UNK,
                unk_surface=SPECIAL_PIECES[UNK],
                minloglevel=2,
            )
        except RuntimeError as error:
            raise self._explain(error) from error
        self.load_trained_state({"model": model.getvalue()})

    def _explain(self, error: RuntimeError) -> UserError:
        """SentencePiece's complaint in the words of the settings."""
        too_high = re.search(r"Vocabulary size too high.*<= (\d+)", str(error))
        if too_high:
            return UserError(
                f"vocabulary_size is {self._wanted_size}, but the training text allows at most {too_high[1]}: lower it"
            )
        too_low = re.search(r"smaller than required_chars\. \d+ vs (\d+)", str(error))
        if too_low:
            return UserError(
                f"vocabulary_size is {self._wanted_size}, but the characters of the training text and the reserved "
                f"ids alone are {too_low[1]}: raise it, or lower character_coverage"
            )
        return UserError(f"SentencePiece cannot be trained on this text: {' '.join(str(error).split())}")

    def encode(self, sentence: str) -> list[int]:  # noqa: D102
        return self._trained().encode(sentence)

    def encode_all(self, sentences: list[str]) -> list[list[int]]:  # noqa: D102
        return self._trained().encode(sentences)

    def decode(self, ids: Iterable[int]) -> str:  # noqa: D102
        return self._trained().decode([int(id_) for id_ in ids])

    def pieces(self, ids: Iterable[int]) -> list[str]:  # noqa: D102
        return self._trained().id_to_piece([int(id_) for id_ in ids])

    def merges(self) -> dict[int, tuple[int, int]]:  # noqa: D102
        if self._model_type != "bpe":
            return {}
        processor = self._trained()
        ids = range(len(SPECIAL_PIECES), processor.get_piece_size())
        pieces = {processor.id_to_piece(id_): id_ for id_ in ids}
        merged = {id_: _last_merge(piece, pieces) for piece, id_ in pieces.items()}
        return {id_: (pieces[parts[0]], pieces[parts[1]]) for id_, parts in merged.items() if parts}

    def trained_state(self) -> dict[str, str | bytes]:  # noqa: D102
        return {"model": self._trained().serialized_model_proto()}

    def load_trained_state(self, state: Mapping[str, Any]) -> None:  # noqa: D102
        import sentencepiece

        damage = "damaged state of a SentencePieceTokenizer: its model cannot be read"
        if not state.get("model"):
            raise UserError(damage)
        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=state["model"])
        except (TypeError, RuntimeError) as error:
            raise UserError(damage) from error

    def _trained(self) -> sentencepiece.SentencePieceProcessor:
        if self._processor is None:
            raise _untrained(self)
        return self._processor


class _SymbolTokenizer(Tokenizer):
    """A vocabulary of symbols seen in training, the most frequent first; subclasses say what a symbol is."""

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
    def vocabulary_size(self) -> int:
        if not self._ids:
            raise _untrained(self)
        return len(self._symbols)

    def train(self, sentences: Iterable[str]) -> None:
        counts: Counter[str] = Counter()
        for sentence in sentences:
            counts.update(self._split(sentence))
        if not counts:
            raise UserError("the training text is empty: there is nothing to learn a vocabulary from")
        frequent = sorted(
            (symbol for symbol, count in counts.items() if count >= self._min_frequency),
            key=lambda symbol: (-counts[symbol], symbol),
        )
        if not frequent:
            raise UserError(
                f"min_frequency is {self._min_frequency}, but the most frequent symbol of the training text comes "
                f"{max(counts.values())} times: lower it"
            )
        if self._max_vocabulary_size is not None:
            frequent = frequent[: self._max_vocabulary_size - len(SPECIAL_PIECES)]
        self._take(frequent)

    def _take(self, symbols: Iterable[str]) -> None:
        self._symbols = [*SPECIAL_PIECES, *symbols]
        self._ids = {
            symbol: id_ for id_, symbol in enumerate(self._symbols[len(SPECIAL_PIECES) :], start=len(SPECIAL_PIECES))
        }

    def encode(self, sentence: str) -> list[int]:
        if not self._ids:
            raise _untrained(self)
        return [self._ids.get(symbol, UNK) for symbol in self._split(sentence)]

    def decode(self, ids: Iterable[int]) -> str:
        return self._separator.join(self.pieces(id_ for id_ in ids if id_ not in (PAD, BOS, EOS)))

    def pieces(self, ids: Iterable[int]) -> list[str]:
        if not self._ids:
            raise _untrained(self)
        return [self._symbols[int(id_)] for id_ in ids]

    def trained_state(self) -> dict[str, str | bytes]:
        if not self._ids:
            raise _untrained(self)
        return {"symbols": self._separator.join(self._ids)}

    def load_trained_state(self, state: Mapping[str, Any]) -> None:
        symbols = state.get("symbols")
        if not isinstance(symbols, str) or not symbols:
            raise UserError(f"damaged state of a {type(self).__name__}: its vocabulary is missing")
        self._take(self._split(symbols))


class WhitespaceTokenizer(_SymbolTokenizer):
    """Words between white space, for text that is tokenized already.

    ``decode(encode(x))`` has single spaces between the words.

    Args:
        min_frequency: Words that come less often in the training text are unknown.
        max_vocabulary_size: At most that many ids, the four reserved ones included; the most frequent words stay.
    """

    _separator = " "

    def __init__(self, min_frequency: int = 1, max_vocabulary_size: int | None = None) -> None:
        super().__init__(min_frequency, max_vocabulary_size)

    def settings(self) -> dict[str, Setting]:  # noqa: D102
        return {"min_frequency": self._min_frequency, "max_vocabulary_size": self._max_vocabulary_size}

    def _split(self, sentence: str) -> list[str]:
        return sentence.split()


class CharacterTokenizer(_SymbolTokenizer):
    """Single characters (Unicode code points).

    ``decode(encode(x)) == x`` for every sentence of characters that the vocabulary has.

    Args:
        min_frequency: Characters that come less often in the training text are unknown.
    """

    _separator = ""

    def __init__(self, min_frequency: int = 1) -> None:
        super().__init__(min_frequency, None)

    def settings(self) -> dict[str, Setting]:  # noqa: D102
        return {"min_frequency": self._min_frequency}

    def _split(self, sentence: str) -> Iterable[str]:
        return sentence


def class_path(part: object) -> str:
    """Where the class of a tokenizer, or of another part, is imported from, as a config writes it."""
    return f"{type(part).__module__}.{type(part).__qualname__}"


def restore_tokenizer(description: Mapping[str, Any]) -> Tokenizer:
    """Makes a trained tokenizer from what :meth:`Tokenizer.describe` gave.

    The class is imported: of a description from elsewhere, check first that its package is trusted.

    Args:
        description: ``class_path`` and ``state``.

    Raises:
        UserError: The class does not exist or is no tokenizer, or the state is damaged.
    """
    path, state = description.get("class_path"), description.get("state")
    if not isinstance(path, str) or not isinstance(state, Mapping) or not isinstance(state.get("settings"), Mapping):
        raise UserError("damaged description of a tokenizer: it needs class_path and state")
    module_name, _, name = path.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except (ImportError, ValueError) as error:
        raise UserError(f"tokenizer {path}: there is no module {module_name!r} here; install its package") from error
    tokenizer_class = getattr(module, name, None)
    if not (isinstance(tokenizer_class, type) and issubclass(tokenizer_class, Tokenizer)):
        known = [key for key, value in vars(module).items() if isinstance(value, type) and issubclass(value, Tokenizer)]
        raise UserError(f"{path} is no tokenizer; {suggest(name, known)}")
    try:
        tokenizer = tokenizer_class(**state["settings"])
    except TypeError as error:
        raise UserError(f"tokenizer {path} cannot be made from its settings: {error}") from error
    tokenizer.load_state_dict(state)
    return tokenizer


def _last_merge(piece: str, ranks: Mapping[str, int]) -> tuple[str, str] | None:
    """The two parts that are left of a piece before its last merge; None where it is not merged of known pieces.

    Args:
        piece: Which.
        ranks: All pieces, in the order in which they were merged: an earlier one goes first.
    """
    parts = list(piece)
    while len(parts) > 2:
        joined = [ranks.get(left + right, math.inf) for left, right in itertools.pairwise(parts)]
        position = joined.index(min(joined))
        if joined[position] == math.inf:
            return None
        parts[position : position + 2] = [parts[position] + parts[position + 1]]
    return (parts[0], parts[1]) if len(parts) == 2 and all(part in ranks for part in parts) else None


def _sample(sentences: Iterable[str], limit: int) -> list[str]:
    """All sentences, or ``limit`` of more, each with the same chance and always the same (reservoir sampling)."""
    chosen: list[str] = []
    generator = random.Random(0)
    for count, sentence in enumerate(sentences, start=1):
        if count <= limit:
            chosen.append(sentence)
        elif (position := generator.randrange(count)) < limit:
            chosen[position] = sentence
    return chosen


def _untrained(tokenizer: Tokenizer) -> RuntimeError:
    return RuntimeError(f"this {type(tokenizer).__name__} has no vocabulary yet: call train or load_state_dict first")
