"""Reverse, copy or sort random symbols: tasks made on the spot that show what a fixed context can hold."""

from __future__ import annotations

import hashlib
import random
import string
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from datamodules.batch import Split
from datamodules.corpora.corpus import hash_pairs
from datamodules.corpora.parallel import ParallelDataModule
from datamodules.corpora.vocabularies import Side
from datamodules.curriculum import Curriculum
from datamodules.errors import UserError
from datamodules.tokenizers import Setting, WhitespaceTokenizer

_SHARES: dict[Split, range] = {"test": range(32), "val": range(32, 64), "train": range(64, 256)}
"""Which values of a sequence's hash, a byte, put it into a split."""


class SequenceTask(ABC):
    """What a source is turned into. A subclass with arguments gives them back in :meth:`settings`."""

    @abstractmethod
    def __call__(self, source: Sequence[int]) -> Sequence[int]:
        """The target of a source.

        Args:
            source: Symbols, as numbers from 0 to the alphabet's size - 1.

        Returns:
            At least one symbol of the same alphabet.
        """

    def origins(self, source: Sequence[int]) -> Sequence[int] | None:
        """For each symbol of the target its position in the source; None where a task has no such thing.

        Args:
            source: Symbols, as numbers from 0 to the alphabet's size - 1.
        """
        return None

    def settings(self) -> dict[str, Setting]:
        """The constructor's arguments by name."""
        return {}


class Reverse(SequenceTask):
    """The symbols from last to first: the first to be written was read last."""

    def __call__(self, source: Sequence[int]) -> Sequence[int]:
        """The target of a source; see :meth:`SequenceTask.__call__`."""
        return source[::-1]

    def origins(self, source: Sequence[int]) -> Sequence[int]:
        """From the last position to the first."""
        return range(len(source) - 1, -1, -1)


class Copy(SequenceTask):
    """The symbols as they are."""

    def __call__(self, source: Sequence[int]) -> Sequence[int]:
        """The target of a source; see :meth:`SequenceTask.__call__`."""
        return source

    def origins(self, source: Sequence[int]) -> Sequence[int]:
        """From the first position to the last."""
        return range(len(source))


class Sort(SequenceTask):
    """The symbols in the order of the alphabet."""

    def __call__(self, source: Sequence[int]) -> Sequence[int]:
        """The target of a source; see :meth:`SequenceTask.__call__`."""
        return sorted(source)

    def origins(self, source: Sequence[int]) -> Sequence[int]:
        """By symbol; of equal symbols the first in the source comes first."""
        return sorted(range(len(source)), key=source.__getitem__)


@dataclass(frozen=True)
class SymbolCorpus:
    """Pairs of symbol sequences as text, a function of these settings alone: the same on every machine.

    A hash of the seed and the sequence itself says which split a sequence may be in. So no split has a sequence of
    another, whatever their sizes and lengths are, also where a model is tested on other lengths than it was trained
    beside. Within validation and test every sequence comes once; training draws at random, and may draw one again.

    Attributes:
        task: Turns sources into targets.
        alphabet_size: Number of symbols.
        min_length: Fewest symbols of a source.
        max_length: Most symbols of a source; all lengths between come equally often.
        train_size: Number of training pairs.
        val_size: Number of validation pairs.
        test_size: Number of test pairs, of each length in ``test_lengths`` where they are given.
        test_lengths: Lengths of the test's sources; None for those of the training.
        seed: Seed of the sequences and their splits.

    Raises:
        UserError: A size or a length is below 1, the alphabet below 2, lengths are out of order or given twice, or
            there are too few sequences.
    """

    task: SequenceTask
    alphabet_size: int
    min_length: int
    max_length: int
    train_size: int
    val_size: int
    test_size: int
    test_lengths: Sequence[int] | None
    seed: int

    def __post_init__(self) -> None:
        for name, least in (
            ("alphabet_size", 2),
            ("min_length", 1),
            ("train_size", 1),
            ("val_size", 1),
            ("test_size", 1),
        ):
            if getattr(self, name) < least:
                raise UserError(f"data.init_args.{name} is {getattr(self, name)}: give at least {least}")
        if self.max_length < self.min_length:
            raise UserError(
                f"data.init_args.max_length is {self.max_length}, and min_length {self.min_length}: give a max_length "
                "that is not smaller"
            )
        if self.test_lengths is not None:
            given = list(self.test_lengths)
            if not given or min(given) < 1 or len(set(given)) < len(given):
                raise UserError(
                    f"data.init_args.test_lengths is {given}: give lengths of at least 1, each once, or null"
                )
        self._check_room("val_size", self.val_size, self._training_lengths)
        for lengths, size in self._wanted("test"):
            self._check_room("test_size", size, lengths)

    def pairs(self, split: Split) -> Iterator[tuple[str, str]]:
        """The (source, target) pairs of a split."""
        names = symbol_names(self.alphabet_size)
        generator = random.Random(f"{self.seed} {split}")
        seen: set[str] = set()
        for lengths, size in self._wanted(split):
            missing = size
            while missing:
                symbols = generator.choices(range(self.alphabet_size), k=generator.choice(lengths))
                source = " ".join(names[symbol] for symbol in symbols)
                if source in seen or self._hash(source) not in _SHARES[split]:
                    continue
                if split != "train":
                    seen.add(source)
                missing -= 1
                yield source, " ".join(names[symbol] for symbol in self.task(symbols))

    def content(self, split: Split) -> str:
        """The hash (hex) of a split's pairs: a task's code may change where its settings do not."""
        return hash_pairs(self.pairs(split))

    @property
    def _training_lengths(self) -> range:
        return range(self.min_length, self.max_length + 1)

    def _wanted(self, split: Split) -> list[tuple[range, int]]:
        """The parts of a split: the lengths to draw from, and the number of pairs."""
        if split == "test" and self.test_lengths is not None:
            return [(range(length, length + 1), self.test_size) for length in self.test_lengths]
        sizes: dict[Split, int] = {"train": self.train_size, "val": self.val_size, "test": self.test_size}
        return [(self._training_lengths, sizes[split])]

    def _check_room(self, name: str, size: int, lengths: range) -> None:
        """Refuses sizes for which drawing would never end: an eighth of all sequences is a split's, by chance."""
        # More than 64 symbols make more sequences than anyone asks for.
        count = sum(self.alphabet_size ** min(length, 64) for length in lengths)
        needed = 16 * size + 1000
        if count < needed:
            told = str(lengths[0]) if len(lengths) == 1 else f"{lengths[0]} to {lengths[-1]}"
            raise UserError(
                f"data.init_args.{name} is {size}, but {self.alphabet_size} symbols make {count} sequences of length "
                f"{told}, and {needed} are needed to keep the splits apart: lower {name}, or raise alphabet_size or "
                "the length"
            )

    def _hash(self, source: str) -> int:
        """A byte that tells the split of a sequence."""
        return hashlib.blake2b(f"{self.seed} {source}".encode(), digest_size=1).digest()[0]


def symbol_names(alphabet_size: int) -> list[str]:
    """How symbols are written: letters from a, or numbers of equal width where there are more symbols than letters.

    Args:
        alphabet_size: Number of symbols.
    """
    if alphabet_size <= len(string.ascii_lowercase):
        return list(string.ascii_lowercase[:alphabet_size])
    width = len(str(alphabet_size - 1))
    return [f"{symbol:0{width}}" for symbol in range(alphabet_size)]


class ReversalDataModule(ParallelDataModule):
    """Random symbols to be reversed, copied or sorted, made on the spot: no file is read, nothing is downloaded.

    Train, validation and test share no sequence, also where ``test_lengths`` of a test are not those of the training.
    Source and target have one vocabulary, the alphabet.

    Args:
        task: What a source is turned into: ``Reverse``, ``Copy`` or ``Sort`` of ``datamodules.reversal``, or your own.
        alphabet_size: Number of symbols.
        min_length: Fewest symbols of a source.
        max_length: Most symbols of a source; all lengths between come equally often.
        train_size: Number of training pairs.
        val_size: Number of validation pairs.
        test_size: Number of test pairs, of each length in ``test_lengths`` where they are given.
        test_lengths: Lengths of the test's sources, also longer ones than in training; those of the training if null.
        corpus_seed: Seed of the sequences and their splits: another seed, another corpus.
        batch_size: Pairs of one training batch, all processes together.
        eval_batch_size: Pairs of one batch in validation, test and prediction, all processes together.
        seed: Seed of the order of the training batches.
        num_workers: Processes that load batches beside the training process; 0 loads in it.
        cache_directory: Where the vocabulary and encoded text are kept; else $SEQLAB_CACHE, else ~/.cache/seqlab.
        curriculum: Which training batches come when; each once an epoch, in random order, if not given.

    Raises:
        UserError: A size or a length is below 1, the alphabet below 2, lengths are out of order or given twice, or
            there are too few sequences.
    """

    def __init__(
        self,
        task: SequenceTask = Reverse(),  # noqa: B008 - the default that --help shows; a task holds no state
        alphabet_size: int = 20,
        min_length: int = 5,
        max_length: int = 10,
        train_size: int = 20_000,
        val_size: int = 500,
        test_size: int = 1_000,
        test_lengths: list[int] | None = None,
        corpus_seed: int = 0,
        batch_size: int = 64,
        eval_batch_size: int = 64,
        seed: int = 0,
        num_workers: int = 0,
        cache_directory: str | None = None,
        curriculum: Curriculum | None = None,
    ) -> None:
        super().__init__(
            tokenizer=WhitespaceTokenizer(),
            batch_size=batch_size,
            eval_batch_size=eval_batch_size,
            max_length=sys.maxsize,  # a task may make long targets: nothing that was made is skipped
            seed=seed,
            num_workers=num_workers,
            cache_directory=cache_directory,
            curriculum=curriculum,
        )
        self._symbol_corpus = SymbolCorpus(
            task, alphabet_size, min_length, max_length, train_size, val_size, test_size, test_lengths, corpus_seed
        )
        self._alphabet_size = alphabet_size
        self._contents: dict[Split, str] = {}

    def pairs(self, split: Split) -> Iterator[tuple[str, str]]:
        """All (source, target) pairs of a split, made anew."""
        return self._symbol_corpus.pairs(split)

    def content(self, split: Split) -> str:
        """The hash (hex) of a split's pairs, made once."""
        if split not in self._contents:
            self._contents[split] = self._symbol_corpus.content(split)
        return self._contents[split]

    def origins(self, source: Sequence[int]) -> Sequence[int] | None:
        """For each target token, EOS left out, the position of its source token; see :meth:`SequenceTask.origins`.

        Args:
            source: Ids, without EOS.
        """
        names = symbol_names(self._alphabet_size)
        return self._symbol_corpus.task.origins([names.index(piece) for piece in self.source_tokenizer.pieces(source)])

    def _sentences(self, sides: tuple[Side, ...]) -> Iterable[str]:
        """The alphabet: the vocabulary is known, whatever training happens to draw."""
        return [" ".join(symbol_names(self._alphabet_size))]
