"""Text to ids and back: SentencePiece, whitespace, character and code tokenizers.

The first three are defined here, for configs and checkpoints name them by this module.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from typing_extensions import override

from datamodules.batch import BOS, EOS, PAD, SPECIAL_PIECES, UNK
from datamodules.errors import UserError
from datamodules.tokenizers.protocol import Setting, Tokenizer, class_path, untrained
from datamodules.tokenizers.restoring import restore_tokenizer
from datamodules.tokenizers.source_code import CodeTokenizer
from datamodules.tokenizers.subwords import last_merge, sample
from datamodules.tokenizers.symbols import SymbolTokenizer

if TYPE_CHECKING:
    import sentencepiece

__all__ = [
    "CharacterTokenizer",
    "CodeTokenizer",
    "SentencePieceTokenizer",
    "Setting",
    "Tokenizer",
    "WhitespaceTokenizer",
    "class_path",
    "restore_tokenizer",
]


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
    @override
    def vocabulary_size(self) -> int:
        return self._trained().get_piece_size()

    @override
    def settings(self) -> dict[str, Setting]:
        return {
            "vocabulary_size": self._wanted_size,
            "model_type": self._model_type,
            "character_coverage": self._character_coverage,
            "max_training_sentences": self._max_training_sentences,
        }

    @override
    def train(self, sentences: Iterable[str]) -> None:
        import sentencepiece  # whoever has another tokenizer does without

        chosen = sample((sentence for sentence in sentences if sentence), self._max_training_sentences)
        if not chosen:
            raise UserError("the training text is empty: there is nothing to learn a vocabulary from")
        model = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(chosen),
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

    @override
    def encode(self, sentence: str) -> list[int]:
        return self._trained().encode(sentence)

    @override
    def encode_all(self, sentences: list[str]) -> list[list[int]]:
        return self._trained().encode(sentences)

    @override
    def unknown(self, sentence: str) -> list[str]:
        processor = self._trained()
        ids, pieces = processor.encode(sentence), processor.encode(sentence, out_type=str)
        unknown = (piece for id_, piece in zip(ids, pieces, strict=True) if id_ == UNK)
        return [character for piece in unknown for character in piece]

    @override
    def decode(self, ids: Iterable[int]) -> str:
        return self._trained().decode([int(id_) for id_ in ids])

    @override
    def pieces(self, ids: Iterable[int]) -> list[str]:
        return self._trained().id_to_piece([int(id_) for id_ in ids])

    @override
    def merges(self) -> dict[int, tuple[int, int]]:
        if self._model_type != "bpe":
            return {}
        processor = self._trained()
        ids = range(len(SPECIAL_PIECES), processor.get_piece_size())
        pieces = {processor.id_to_piece(id_): id_ for id_ in ids}
        merged = {id_: last_merge(piece, pieces) for piece, id_ in pieces.items()}
        return {id_: (pieces[parts[0]], pieces[parts[1]]) for id_, parts in merged.items() if parts}

    @override
    def trained_state(self) -> dict[str, str | bytes]:
        return {"model": self._trained().serialized_model_proto()}

    @override
    def load_trained_state(self, state: Mapping[str, Any]) -> None:
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
            raise untrained(self)
        return self._processor


class WhitespaceTokenizer(SymbolTokenizer):
    """Words between white space, for text that is tokenized already.

    ``decode(encode(x))`` has single spaces between the words.

    Args:
        min_frequency: Words that come less often in the training text are unknown.
        max_vocabulary_size: At most that many ids, the four reserved ones included; the most frequent words stay. A
            vocabulary that is joint or extended has others besides.
    """

    _separator = " "

    def __init__(self, min_frequency: int = 1, max_vocabulary_size: int | None = None) -> None:
        super().__init__(min_frequency, max_vocabulary_size)

    @override
    def settings(self) -> dict[str, Setting]:
        return {"min_frequency": self._min_frequency, "max_vocabulary_size": self._max_vocabulary_size}

    def _split(self, sentence: str) -> list[str]:
        return sentence.split()


class CharacterTokenizer(SymbolTokenizer):
    """Single characters (Unicode code points).

    ``decode(encode(x)) == x`` for every sentence of characters that the vocabulary has.

    Args:
        min_frequency: Characters that come less often in the training text are unknown.
    """

    _separator = ""

    def __init__(self, min_frequency: int = 1) -> None:
        super().__init__(min_frequency, None)

    @override
    def settings(self) -> dict[str, Setting]:
        return {"min_frequency": self._min_frequency}

    def _split(self, sentence: str) -> Iterable[str]:
        return sentence
