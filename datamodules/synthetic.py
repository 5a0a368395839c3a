"""Signed sums: sequences to classify."""

from __future__ import annotations

import numpy as np
import torch

from datamodules.batch import LabelledBatch, Padded, Split
from datamodules.random_vectors import RandomVectors, RandomVectorsDataModule


class SignedSums(RandomVectors[LabelledBatch]):
    """Random vectors, and whether their sum over every second position is positive.

    The label is 1 where the sum of all features at positions 0, 2, 4 ... is positive, else 0. What stands at the other
    positions says nothing of it.

    Args:
        split: Which of the sets of a seed.
        size: Number of sequences.
        num_features: Width of a vector.
        min_length: Shortest length.
        max_length: Longest length.
        seed: Seed of all splits.

    Attributes:
        labels: ``(size,)``, int64.
    """

    def __init__(self, split: Split, size: int, num_features: int, min_length: int, max_length: int, seed: int) -> None:
        super().__init__(split, size, num_features, min_length, max_length, seed)
        sums = [self.sequence(index)[::2].sum(dtype=np.float64) for index in range(size)]
        self.labels = (np.array(sums) > 0).astype(np.int64)

    def __getitem__(self, indices: list[int]) -> LabelledBatch:
        """The batch of the sequences with these indices; see :class:`RandomVectors`."""
        return LabelledBatch(
            Padded.from_vectors([self.sequence(index) for index in indices], self.num_features),
            torch.from_numpy(self.labels[indices]),
            torch.tensor(indices, dtype=torch.long),
        )


class SyntheticDataModule(RandomVectorsDataModule[LabelledBatch]):
    """Sequences of vectors; the label of each is the sign of the sum over its even positions.

    The label is 1 where the sum of all features at positions 0, 2, 4 ... is positive, else 0. So a model has to count
    positions, add, and pay no heed to half of what it reads. The two labels are equally likely.
    """

    dataset = SignedSums

    @property
    def class_count(self) -> int:
        """Two: the sum is positive or not."""
        return 2
