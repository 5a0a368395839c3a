"""Pairs of lines become batches: tokenizers trained, text encoded once, batches planned."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
from lightning.pytorch.utilities import rank_zero_info
from torch.utils.data import DataLoader, Dataset

from datamodules.batch import SequenceBatch, Split
from datamodules.corpora.cache import Cache
from datamodules.corpora.encoded import EncodedCorpus, encode_corpus
from datamodules.corpora.features import FeatureTokenizer
from datamodules.corpora.hallucination import StemHallucination, check_share
from datamodules.corpora.piece_dropout import PieceDropout, check_rate
from datamodules.corpora.spelling import Spelling, check_copyable, spellings
from datamodules.corpora.tokenizer_pair import TokenizerPair
from datamodules.corpora.tokenizer_training import TrainingText
from datamodules.corpora.training_lengths import TrainingLengths
from datamodules.corpora.vocabularies import (
    SIDES,
    Side,
    Unseen,
    extend,
    is_joint,
    shared_size,
    unseen_symbols,
)
from datamodules.curriculum import Curriculum
from datamodules.errors import RunFailed, UserError, listed_numbers
from datamodules.excerpts import CountedSources, Excerpt, cut_remark
from datamodules.hyperparameters import NotKept, described_value
from datamodules.plan import BatchUnit, planned_loader
from datamodules.tokenizers import Tokenizer

HASH_DIGITS = 16
"""Hexadecimal digits of a content's hash in messages; the record of a run has all 64."""


class ParallelDataModule(L.LightningDataModule, ABC):
    """Sentence pairs in batches of ids. A subclass says where the pairs come from: :meth:`pairs`, :meth:`content`.

    The constructor reads nothing. What is asked for first, vocabulary sizes or batches, trains the tokenizers on the
    training pairs and encodes a split, once: the cache gives both to every later start. Tokenizers restored from a
    checkpoint take the place of trained ones, and the splits are encoded with them.

    Pairs with an empty side are skipped in every split. Pairs longer than ``max_length`` are skipped in training
    alone: a test set has to be scored whole. What is skipped is counted and reported. The index of a pair is its
    position among those kept, in the corpus's order.

    Args:
        tokenizer: Tokenizer of the source, and of the target too unless ``target_tokenizer`` is given: then both share
            one vocabulary. It is trained on the training pairs.
        target_tokenizer: Tokenizer of the target, with a vocabulary of its own; null for that of the source.
        batch_size: Budget of one training batch, all processes together.
        batch_unit: What the budget counts: sentence pairs, or padded tokens of the longer side.
        eval_batch_size: Sentence pairs of one batch in validation, test and prediction, all processes together.
        max_length: Training pairs with more tokens on a side are skipped.
        seed: Seed of the order of the training batches.
        curriculum: Which training batches come when; each once an epoch, in random order, if not given.
        num_workers: Processes that load batches beside the training process; 0 loads in it.
        cache_directory: Where tokenizers and encoded text are kept; else $SEQLAB_CACHE, else ~/.cache/seqlab.
        piece_dropout: Probability that a merge of pieces is taken back in training; see :class:`PieceDropout`.
        joint_vocabulary: Whether two tokenizers, of words, characters or code, have one vocabulary: what each learns on
            its own side has the same ids on both, as ``tied: all`` needs.
        copy_unknown: Whether words or characters that the vocabulary lacks can be copied from a source, whole, by a
            ``CopyVocabularyHead``; the vocabulary has to be a joint one, and not of pieces.
        hallucination: Probability that what the sides of a training pair share, such as the stem of a word, is made up;
            see :class:`StemHallucination`.
        excerpt: How much of a long source is read, in every split; all of it if not given.

    Attributes:
        predicted: Split that predictions are made for.
    """

    predicted: Split = "test"

    def __init__(
        self,
        tokenizer: Tokenizer,
        target_tokenizer: Tokenizer | None = None,
        batch_size: int = 64,
        batch_unit: BatchUnit = "sentences",
        eval_batch_size: int = 64,
        max_length: int = 100,
        seed: int = 0,
        num_workers: int = 0,
        cache_directory: str | None = None,
        curriculum: Curriculum | None = None,
        piece_dropout: float = 0.0,
        joint_vocabulary: bool = False,
        copy_unknown: bool = False,
        hallucination: float = 0.0,
        excerpt: Excerpt | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.save_hyperparameters({name: _plain(value, name) for name, value in self.hparams.items()})
        for name, value, least in (
            ("batch_size", batch_size, 1),
            ("eval_batch_size", eval_batch_size, 1),
            ("max_length", max_length, 1),
            ("num_workers", num_workers, 0),
        ):
            if value < least:
                raise UserError(f"data.init_args.{name} is {value}: give at least {least}")
        check_rate(piece_dropout)
        check_share(hallucination)
        self.cache = Cache(cache_directory)
        self._tokenizers = TokenizerPair(self.cache, tokenizer, target_tokenizer, joint_vocabulary)
        self._batch_size = batch_size
        self._batch_unit: BatchUnit = batch_unit
        self._eval_batch_size = eval_batch_size
        self._max_length = max_length
        self._seed = seed
        self._num_workers = num_workers
        self._curriculum = curriculum
        self._piece_dropout = piece_dropout
        self._hallucination = hallucination
        self._excerpt = excerpt
        self._copy_unknown = copy_unknown
        if copy_unknown:
            target = tokenizer if target_tokenizer is None else target_tokenizer
            check_copyable(tokenizer, target, joint_vocabulary or target is tokenizer)
        self._changes: list[Callable[[SequenceBatch, int], SequenceBatch]] = []
        self._lengths_known = False
        self._lengths: TrainingLengths | None = None
        self._known_contents: dict[Split, str] = {}
        self._corpora: dict[Split, EncodedCorpus] = {}

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that there are."""
        return ("train", "val", "test")

    def __str__(self) -> str:
        # Lightning's own prepares every split to count its batches, and jsonargparse asks for it at every start.
        return f"{type(self).__name__}: {', '.join(self.splits)}"

    @abstractmethod
    def pairs(self, split: Split) -> Iterator[tuple[str, str]]:
        """All (source, target) sentences of a split, in the corpus's order; may be asked for more than once."""

    @abstractmethod
    def content(self, split: Split) -> str:
        """A hash (hex) that tells what :meth:`pairs` yields, without yielding it; the cache is keyed by it.

        Raises:
            UserError: There is no such split.
        """

    @property
    def wanted_tokenizers(self) -> tuple[Tokenizer, Tokenizer | None]:
        """The tokenizers that were asked for, not trained: those of a checkpoint may be others."""
        return self._tokenizers.wanted

    @property
    def source_tokenizer(self) -> Tokenizer:
        """The trained tokenizer of the source."""
        return self._prepare_tokenizers()[0]

    @property
    def target_tokenizer(self) -> Tokenizer:
        """The trained tokenizer of the target; of a joint vocabulary the source's own, without its features."""
        return self._prepare_tokenizers()[1]

    @property
    def source_vocabulary_size(self) -> int:
        """Number of source ids, the reserved ones included."""
        return self.source_tokenizer.vocabulary_size

    @property
    def target_vocabulary_size(self) -> int:
        """Number of target ids, the reserved ones included."""
        return self.target_tokenizer.vocabulary_size

    @property
    def shared_vocabulary_size(self) -> int:
        """Number of target ids that mean the same on the source side: all of a joint vocabulary, or none."""
        return shared_size(*self._prepare_tokenizers())

    @property
    def feature_vocabulary_size(self) -> int:
        """Number of source ids that are features, the last ones."""
        source = self.source_tokenizer
        return source.vocabulary_size - source.text.vocabulary_size if isinstance(source, FeatureTokenizer) else 0

    @property
    def training_lengths(self) -> TrainingLengths | None:
        """The longest source, target and ratio that training has; None where a checkpoint from before does not say."""
        if not self._lengths_known:
            self._lengths, self._lengths_known = TrainingLengths.of(self._corpus("train").lengths), True
        return self._lengths

    @property
    def longest_source(self) -> int | None:
        """Tokens of the longest source in training; see :attr:`training_lengths`."""
        return None if self.training_lengths is None else self.training_lengths.source

    @property
    def longest_target(self) -> int | None:
        """Tokens of the longest target in training; see :attr:`training_lengths`."""
        return None if self.training_lengths is None else self.training_lengths.target

    @property
    def longest_ratio(self) -> float | None:
        """The most target tokens for each source token in training; see :attr:`training_lengths`."""
        return None if self.training_lengths is None else self.training_lengths.ratio

    @property
    def copies_unknown(self) -> bool:
        """Whether what the vocabulary lacks of a source has ids of its own."""
        return self._copy_unknown

    def spellings(self, source: str) -> tuple[Spelling, Spelling]:
        """How a source and its targets are spelled: by the tokenizers, or with ids for what these lack of the source.

        Args:
            source: The sentence.
        """
        tokenizers = self._prepare_tokenizers()
        return spellings(*tokenizers, source) if self._copy_unknown else tokenizers

    def sources(self, split: Split) -> Sequence[str]:
        """The raw source sentences by index, read when asked for."""
        return self._corpus(split).sources

    def references(self, split: Split) -> Sequence[str]:
        """The raw target sentences by index, read when asked for."""
        return self._corpus(split).references

    def annotation(self, split: Split, name: str) -> Sequence[str]:
        """A further column of the data, by index, for metrics.

        Args:
            split: One of :attr:`splits`.
            name: The column's name in the setting ``annotations``.

        Raises:
            UserError: There is none of that name.
        """
        raise UserError(f"a metric reads the column {name!r}, which {type(self).__name__} does not have: leave it out")

    def place(self, split: Split, index: Sequence[int]) -> str:
        """Words where pairs stand, for messages: "pairs 3, 8 of the train data".

        Args:
            split: Split that the pairs belong to.
            index: Index of each pair.
        """
        return f"pairs {listed_numbers(self.numbers(split, index))} of the {split} data"

    def named(self, split: Split, side: Side) -> tuple[str, str]:
        """What one side's text is called, and what is counted in it, for messages: ``("data/train.en", "line")``."""
        return f"the {side}s of the {split} data", "pair"

    def numbers(self, split: Split, index: Sequence[int]) -> list[int]:
        """Where pairs stand in the text, counted from 1, those that were skipped counted too; of files, their lines."""
        return self._corpus(split).numbers[np.asarray(index, dtype=np.int64)].tolist()

    def where(self, split: Split, number: int) -> str:
        """Words where one pair stands in the text, for reports: "line 3".

        Args:
            split: Split that the pair belongs to.
            number: Its place in :meth:`pairs`, counted from 1.
        """
        return f"line {number}"

    def remarks(self, split: Split) -> Iterator[str]:
        """Lines for the log on where the pairs of a split come from, and on what may be wrong with them."""
        return iter(())

    def unseen(self, split: Split) -> dict[Side, list[Unseen]]:
        """What the vocabularies lack of a split, in the order in which it comes; pairs that are skipped do not count.

        Args:
            split: One of :attr:`splits`.
        """
        corpus = self._corpus(split)
        texts = {"source": corpus.sources, "target": corpus.references}
        found: dict[Side, list[Unseen]] = {}
        for side, tokenizer in zip(SIDES, self._prepare_tokenizers(), strict=True):
            rows = corpus.unknown_rows(side)
            sentences = (texts[side][row] for row in rows)
            found[side] = unseen_symbols(tokenizer, zip(self.numbers(split, rows), sentences, strict=True))
        return found

    def extend_vocabulary(self) -> dict[Side, list[Unseen]]:
        """Adds ids for what the vocabularies lack of the training text; the ids that there are stay.

        Returns:
            What of each side's text has an id now and had none.

        Raises:
            UserError: A tokenizer cannot be given more.
        """
        added = extend(*self._prepare_tokenizers(), self.unseen("train"))
        self._corpora.clear()
        return added

    def fingerprints(self) -> dict[str, str]:
        """The hash (hex) of each split's content, for the record of a run."""
        return {split: self._content(split) for split in self.splits}

    def check_unchanged(self, split: Split) -> None:
        """Compares a split with what it held when it was first asked for.

        Args:
            split: One of :attr:`splits`.

        Raises:
            RunFailed: It holds something else now.
        """
        before, now = self._content(split), self.read_content(split)
        if now != before:
            raise RunFailed(
                f"the {split} data changed while it is in use: its content was {before[:HASH_DIGITS]} (SHA-256), but "
                f"is {now[:HASH_DIGITS]} now; put back what it was and resume with --ckpt_path last, or begin anew"
            )

    def _content(self, split: Split) -> str:
        """What a split held when it was first asked for: one run has one text."""
        if split not in self._known_contents:
            self._known_contents[split] = self.read_content(split)
        return self._known_contents[split]

    def read_content(self, split: Split) -> str:
        """A hash (hex) of what is read of a split: of :meth:`content`, and of how much of each source that is."""
        content = self.content(split)
        if self._excerpt is None:
            return content
        return hashlib.sha256(json.dumps([content, described_value(self._excerpt, "excerpt")]).encode()).hexdigest()

    def train_dataloader(self) -> DataLoader[SequenceBatch]:
        """Batches of the training pairs, in a new order each epoch."""
        self._changes = []
        if self._hallucination:
            symbols, tokenizers = self._corpus("train").source_symbols, self._prepare_tokenizers()
            self._changes.append(StemHallucination(self._hallucination, *tokenizers, symbols, self._seed))
        if self._piece_dropout:
            self._changes.append(PieceDropout(self._piece_dropout, *self._prepare_tokenizers(), self._seed))
        return self._loader("train", self._batch_size, self._batch_unit, shuffle=True)

    def val_dataloader(self) -> DataLoader[SequenceBatch]:
        """Batches of the validation pairs."""
        return self._loader("val", self._eval_batch_size, "sentences", shuffle=False)

    def test_dataloader(self) -> DataLoader[SequenceBatch]:
        """Batches of the test pairs."""
        return self._loader("test", self._eval_batch_size, "sentences", shuffle=False)

    def predict_dataloader(self) -> DataLoader[SequenceBatch]:
        """Batches of the split :attr:`predicted`; each pair's index is its place in the corpus."""
        return self._loader(self.predicted, self._eval_batch_size, "sentences", shuffle=False)

    def on_before_batch_transfer(self, batch: SequenceBatch, dataloader_idx: int) -> SequenceBatch:
        """A training batch in other pieces or with made-up stems, where that was asked for; Lightning calls this."""
        if self.trainer is not None and self.trainer.training:
            for change in self._changes:
                batch = change(batch, self.trainer.current_epoch)
        return batch

    def state_dict(self) -> dict[str, Any]:
        """The tokenizers, as plain values: a checkpoint holds them, and needs no data to translate.

        Returns:
            ``source_tokenizer`` and ``target_tokenizer``, each what :meth:`Tokenizer.describe` gives; the second is
            None where the vocabulary is joint. ``content`` has the hash (hex) of the splits that were in use,
            ``training_lengths`` the fields of :class:`TrainingLengths`, ``copy_unknown`` the setting, and ``excerpt``
            its class and settings, where there is one.
        """
        source, target = self._prepare_tokenizers()
        lengths = self.training_lengths
        return {
            "content": dict(self._known_contents),
            "training_lengths": None if lengths is None else asdict(lengths),
            "source_tokenizer": source.describe(),
            "target_tokenizer": None if target is source else target.describe(),
            "copy_unknown": self._copy_unknown,
            **({} if self._excerpt is None else {"excerpt": described_value(self._excerpt, "excerpt")}),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over the tokenizers of a checkpoint, whose class paths were checked before.

        Args:
            state_dict: What :meth:`state_dict` gave. Without ``training_lengths`` those of this module's own training
                pairs count, as in fine-tuning.

        Raises:
            UserError: The state is damaged.
        """
        self._tokenizers.restore(state_dict)
        self._lengths_known = "training_lengths" in state_dict
        self._lengths = TrainingLengths.restored(state_dict.get("training_lengths"))
        self._corpora.clear()

    def _prepare_tokenizers(self) -> tuple[Tokenizer, Tokenizer]:
        return self._tokenizers.get(self._training_text)

    def _training_text(self) -> TrainingText:
        return TrainingText(self._content("train"), self._sentences, partial(self.check_unchanged, "train"))

    def _reading(self) -> Excerpt | None:
        """How much of a line of :meth:`pairs` is read."""
        return self._excerpt

    def _sentences(self, sides: tuple[Side, ...]) -> Iterable[str]:
        """What a tokenizer of these sides is trained on."""
        excerpt = self._reading()
        for source, target in self.pairs("train"):
            if "source" in sides:
                yield source if excerpt is None else excerpt.of(source)
            if "target" in sides:
                yield target

    def _corpus(self, split: Split) -> EncodedCorpus:
        """A split, encoded with the tokenizers that are in force."""
        if split not in self._corpora:
            source_tokenizer, target_tokenizer = self._prepare_tokenizers()
            max_length = self._longest_kept(split)
            extended, excerpt = self._copy_unknown, self._reading()
            if extended:
                check_copyable(source_tokenizer, target_tokenizer, is_joint(source_tokenizer, target_tokenizer))

            def make(directory: Path) -> None:
                tokenizers = (source_tokenizer, target_tokenizer)
                pairs = self.pairs(split) if excerpt is None else CountedSources(self.pairs(split), excerpt)
                summary = encode_corpus(directory, pairs, *tokenizers, max_length, extended)
                if isinstance(pairs, CountedSources):
                    pairs.write(directory)
                if summary.kept == 0:
                    told = summary.line(split, max_length, self.where)
                    raise UserError(f"{told}: give data with sentences to keep")
                self.check_unchanged(split)

            description = {
                "content": self._content(split),
                "source_tokenizer": source_tokenizer.fingerprint(),
                "target_tokenizer": target_tokenizer.fingerprint(),
                "max_length": max_length,
                **({"extended": True} if extended else {}),
            }
            corpus = EncodedCorpus(self.cache.entry("corpus", description, make))
            rank_zero_info(corpus.summary.line(split, max_length, self.where))
            for remark in self._remarks_on(split, corpus):
                rank_zero_info(remark)
            self._corpora[split] = corpus
        return self._corpora[split]

    def _longest_kept(self, split: Split) -> int | None:
        """The most tokens that a side of a pair may have; None for any number."""
        return self._max_length if split == "train" else None

    def _remarks_on(self, split: Split, corpus: EncodedCorpus) -> Iterator[str]:
        """Lines for the log on a split that was just encoded."""
        if self._excerpt is not None:
            yield from cut_remark(corpus.directory, split, self._excerpt, self.where)
        yield from self.remarks(split)

    def _examples(self, split: Split, corpus: EncodedCorpus) -> tuple[Dataset[Any], np.ndarray]:
        """What batches are made of, and the lengths that the plan sorts by."""
        return corpus, corpus.lengths

    def _loader(self, split: Split, batch_size: int, unit: BatchUnit, shuffle: bool) -> DataLoader[SequenceBatch]:
        examples, lengths = self._examples(split, self._corpus(split))
        return planned_loader(
            examples,
            lengths,
            batch_size,
            unit,
            shuffle,
            self._seed,
            self.trainer,
            overfits=split != "test",
            num_workers=self._num_workers,
            curriculum=self._curriculum,
        )


def _plain(value: object, name: str) -> Any:  # noqa: ANN401 - plain values have no common type
    """An argument as a config writes it; as it is where no checkpoint can keep it, of which the model tells."""
    try:
        return described_value(value, name)
    except NotKept:
        return value
