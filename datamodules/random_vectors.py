"""Random sequences of vectors, made on the spot."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from typing import Generic, TypeVar

import lightning as L
import numpy as np
from torch.utils.data import DataLoader, Dataset

from datamodules.batch import Split
from datamodules.errors import UserError
from datamodules.plan import planned_loader

SPLITS: tuple[Split, ...] = ("train", "val", "test")

Batch = TypeVar("Batch", covariant=True)


class RandomVectors(Dataset[Batch], ABC):
    """Sequences of vectors from a standard normal distribution; a dataset of whole batches.

    Args:
        split: Which of the sets of a seed. Each has seeds of its own, children of the seed that no other split has
            (see :class:`numpy.random.SeedSequence`), and so random numbers independent of the others'.
        size: Number of sequences. A larger set begins with the smaller one.
        num_features: Width of a vector.
        min_length: Shortest length.
        max_length: Longest length. All from one to the other are equally likely.
        seed: Seed of all splits.

    Attributes:
        lengths: ``(size,)``, int64.
        num_features: Width of a vector.
    """

    def __init__(self, split: Split, size: int, num_features: int, min_length: int, max_length: int, seed: int) -> None:
        of_lengths, of_values = (
            np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(SPLITS.index(split), child)))
            for child in (0, 1)
        )
        self.num_features = num_features
        self.lengths = of_lengths.integers(min_length, max_length, size=size, endpoint=True)
        self._ends = self.lengths.cumsum()
        self._values = of_values.standard_normal((self._ends[-1], num_features), dtype=np.float32)

    def sequence(self, index: int) -> np.ndarray:
        """``(length, num_features)``, float32."""
        end = self._ends[index]
        return self._values[end - self.lengths[index] : end]

    def content(self) -> str:
        """SHA-256 (hex) over lengths and values."""
        return hashlib.sha256(self.lengths.tobytes() + self._values.tobytes()).hexdigest()

    def __len__(self) -> int:
        return len(self.lengths)

    @abstractmethod
    def __getitem__(self, indices: list[int]) -> Batch:
        """The batch of the sequences with these indices, in this order; an empty list makes an empty batch."""


class RandomVectorsDataModule(L.LightningDataModule, ABC, Generic[Batch]):
    """Random sequences of vectors; a subclass says what is to be learnt of them, by its :attr:`dataset`.

    Every value is drawn from a standard normal distribution. Training, validation and test set are drawn with disjoint
    seeds, made of ``corpus_seed``; a larger set begins with the smaller one. The constructor draws nothing.

    Args:
        num_features: Numbers at each position.
        min_length: Shortest sequence. Give it and ``max_length`` one value for sequences of a fixed length.
        max_length: Longest sequence; all lengths from one to the other are equally likely.
        train_size: Training sequences.
        val_size: Validation sequences.
        test_size: Test sequences.
        corpus_seed: Seed of the sequences; that of each split is made of it.
        batch_size: Sequences of one training batch, all processes together.
        eval_batch_size: Sequences of one batch in validation, test and prediction, all processes together.
        seed: Seed of the order of the training batches.

    Raises:
        UserError: A number is too small, or the lengths are out of order.

    Attributes:
        dataset: Makes the sequences of a split.
        predicted: Split that predictions are made for.
    """

    predicted: Split = "test"
    dataset: type[RandomVectors[Batch]]

    def __init__(
        self,
        num_features: int = 5,
        min_length: int = 10,
        max_length: int = 30,
        train_size: int = 20_000,
        val_size: int = 2_000,
        test_size: int = 5_000,
        corpus_seed: int = 0,
        batch_size: int = 64,
        eval_batch_size: int = 256,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        for name, value, least in (
            ("num_features", num_features, 1),
            ("min_length", min_length, 1),
            ("train_size", train_size, 1),
            ("val_size", val_size, 1),
            ("test_size", test_size, 1),
            ("corpus_seed", corpus_seed, 0),
            ("batch_size", batch_size, 1),
            ("eval_batch_size", eval_batch_size, 1),
        ):
            if value < least:
                raise UserError(f"data.init_args.{name} is {value}: give at least {least}")
        if max_length < min_length:
            raise UserError(
                f"data.init_args.max_length is {max_length}, below min_length, {min_length}: give at least as much"
            )
        self._sizes: dict[Split, int] = {"train": train_size, "val": val_size, "test": test_size}
        self._num_features = num_features
        self._min_length = min_length
        self._max_length = max_length
        self._corpus_seed = corpus_seed
        self._batch_size = batch_size
        self._eval_batch_size = eval_batch_size
        self._seed = seed
        self._sets: dict[Split, RandomVectors[Batch]] = {}

    @property
    def source_feature_size(self) -> int:
        """Numbers at each position of a sequence."""
        return self._num_features

    def sequences(self, split: Split) -> RandomVectors[Batch]:
        """The sequences of a split, drawn when asked for first."""
        if split not in self._sets:
            self._sets[split] = self.dataset(
                split, self._sizes[split], self._num_features, self._min_length, self._max_length, self._corpus_seed
            )
        return self._sets[split]

    def fingerprints(self) -> dict[str, str]:
        """The hash (hex) of each split's content, for the record of a run."""
        return {split: self.sequences(split).content() for split in SPLITS}

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches of the training sequences, in a new order each epoch."""
        return self._loader("train", self._batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Batches of the validation sequences."""
        return self._loader("val", self._eval_batch_size, shuffle=False)

    def test_dataloader(self) -> DataLoader[Batch]:
        """Batches of the test sequences."""
        return self._loader("test", self._eval_batch_size, shuffle=False)

    def predict_dataloader(self) -> DataLoader[Batch]:
        """Batches of the split :attr:`predicted`; each one's index is its place in the set."""
        return self._loader(self.predicted, self._eval_batch_size, shuffle=False)

    def _loader(self, split: Split, batch_size: int, shuffle: bool) -> DataLoader[Batch]:
        sequences = self.sequences(split)
        return planned_loader(
            sequences,
            sequences.lengths[:, None],
            batch_size,
            shuffle=shuffle,
            seed=self._seed,
            trainer=self.trainer,
            overfits=split != "test",
        )
