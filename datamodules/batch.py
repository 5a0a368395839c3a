"""What flows from data to model: padded id sequences, and the one place where the target is shifted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

PAD, BOS, EOS, UNK = 0, 1, 2, 3
"""The reserved ids, the same for every tokenizer: padding, begin and end of sequence, unknown token."""

SPECIAL_PIECES = ("<pad>", "<s>", "</s>", "<unk>")
"""The pieces of the reserved ids, in the order of the ids."""


@dataclass(frozen=True)
class Padded:
    """Sequences of different lengths in one tensor.

    Attributes:
        values: ``(batch, length)``, :data:`PAD` after the end of each sequence.
        lengths: ``(batch,)``, int64, the number of real positions of each sequence.
    """

    values: Tensor
    lengths: Tensor

    @classmethod
    def from_sequences(cls, sequences: Sequence[Sequence[int] | np.ndarray]) -> Padded:
        """Pads id sequences to the longest of them."""
        lengths = torch.tensor([len(sequence) for sequence in sequences], dtype=torch.long)
        longest = int(lengths.max()) if len(sequences) else 0
        values = np.full((len(sequences), longest), PAD, dtype=np.int64)
        for row, sequence in zip(values, sequences, strict=True):
            row[: len(sequence)] = sequence
        return cls(torch.from_numpy(values), lengths)

    @property
    def mask(self) -> Tensor:
        """``(batch, length)``, bool: True where there is a token."""
        positions = torch.arange(self.values.shape[1], device=self.values.device)
        return positions < self.lengths[:, None]

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Padded:
        """A copy on another device."""
        return Padded(
            self.values.to(device, non_blocking=non_blocking), self.lengths.to(device, non_blocking=non_blocking)
        )

    def __len__(self) -> int:
        return len(self.lengths)


@dataclass(frozen=True)
class SequenceBatch:
    """Pairs of source and target sequences.

    Attributes:
        source: Ids of each source, closed by :data:`EOS`; ``(batch, source_len)``.
        target: Ids of each target between :data:`BOS` and :data:`EOS`; ``(batch, target_len + 1)``.
        index: ``(batch,)``, int64, the position of each pair in its corpus.
    """

    source: Padded
    target: Padded
    index: Tensor

    @classmethod
    def from_pairs(
        cls, sources: Sequence[Sequence[int] | np.ndarray], targets: Sequence[Sequence[int] | np.ndarray], index: Tensor
    ) -> SequenceBatch:
        """Makes a batch of bare id sequences, without reserved ids, adding BOS and EOS.

        Args:
            sources: Ids of each source.
            targets: Ids of each target, as many as sources.
            index: ``(batch,)``, the position of each pair in its corpus.
        """
        return cls(
            Padded.from_sequences([[*source, EOS] for source in sources]),
            Padded.from_sequences([[BOS, *target, EOS] for target in targets]),
            index,
        )

    @property
    def target_input(self) -> Padded:
        """What the decoder is fed under teacher forcing: BOS and the gold tokens; ``(batch, target_len)``."""
        return Padded(self.target.values[:, :-1], self.target.lengths - 1)

    @property
    def target_output(self) -> Padded:
        """What the decoder has to predict: the gold tokens and EOS; ``(batch, target_len)``."""
        return Padded(self.target.values[:, 1:], self.target.lengths - 1)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> SequenceBatch:
        """A copy on another device."""
        return SequenceBatch(
            self.source.to(device, non_blocking),
            self.target.to(device, non_blocking),
            self.index.to(device, non_blocking=non_blocking),
        )

    def __len__(self) -> int:
        return len(self.index)
