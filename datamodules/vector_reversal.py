"""Reversal of vectors: what was read last is to be written first."""

from __future__ import annotations

import torch

from datamodules.batch import Padded, VectorBatch
from datamodules.random_vectors import RandomVectors, RandomVectorsDataModule


class ReversedVectors(RandomVectors[VectorBatch]):
    """Random vectors, and the same from last to first."""

    def __getitem__(self, indices: list[int]) -> VectorBatch:
        """The batch of the sequences with these indices; see :class:`RandomVectors`."""
        sequences = [self.sequence(index) for index in indices]
        return VectorBatch(
            Padded.from_vectors(sequences, self.num_features),
            Padded.from_vectors([sequence[::-1] for sequence in sequences], self.num_features),
            torch.tensor(indices, dtype=torch.long),
        )


class VectorReversalDataModule(RandomVectorsDataModule[VectorBatch]):
    """Sequences of random vectors, to be written from last to first.

    Nothing in a sequence follows from the rest of it: every number has to pass through the model's state. A mean
    squared error of 1 is that of a model that knows nothing, and answers 0.
    """

    dataset = ReversedVectors

    @property
    def target_feature_size(self) -> int:
        """As many as in the source."""
        return self.source_feature_size
