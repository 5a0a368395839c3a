"""What flows from data to model: padded sequences, and the one place where the target is shifted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal, Self

import numpy as np
import torch
from torch import Tensor

Split = Literal["train", "val", "test"]
"""The parts of a data set."""

PAD, BOS, EOS, UNK = 0, 1, 2, 3
"""The reserved ids, the same for every tokenizer: padding, begin and end of sequence, unknown token."""

SPECIAL_PIECES = ("<pad>", "<s>", "</s>", "<unk>")
"""The pieces of the reserved ids, in the order of the ids."""


@dataclass(frozen=True)
class Padded:
    """Sequences of different lengths in one tensor.

    Attributes:
        values: Ids ``(batch, length)``, :data:`PAD` after the end of each sequence; or vectors of real numbers
            ``(batch, length, features)``, 0 after the end.
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

    @classmethod
    def from_vectors(cls, sequences: Sequence[np.ndarray], features: int) -> Padded:
        """Pads sequences of vectors to the longest of them.

        Args:
            sequences: Each ``(length, features)``.
            features: Numbers in a vector, needed where there is no sequence at all.

        Returns:
            Values of float32, ``(batch, length, features)``.
        """
        lengths = torch.tensor([len(sequence) for sequence in sequences], dtype=torch.long)
        longest = int(lengths.max()) if len(sequences) else 0
        values = np.zeros((len(sequences), longest, features), dtype=np.float32)
        for row, sequence in zip(values, sequences, strict=True):
            row[: len(sequence)] = sequence
        return cls(torch.from_numpy(values), lengths)

    @property
    def mask(self) -> Tensor:
        """``(batch, length)``, bool: True where there is a token or vector."""
        positions = torch.arange(self.values.shape[1], device=self.values.device)
        return positions < self.lengths[:, None]

    def real(self, values: Tensor) -> Tensor:
        """What belongs to the real positions; as ``values[mask]``, with a gradient that takes an eighth of the time.

        Args:
            values: ``(batch, length, ...)``.

        Returns:
            ``(positions, ...)``, row by row.
        """
        return values.flatten(0, 1).index_select(0, self.mask.flatten().nonzero().squeeze(1))

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Padded:
        """A copy on another device."""
        return Padded(
            self.values.to(device, non_blocking=non_blocking), self.lengths.to(device, non_blocking=non_blocking)
        )

    def __len__(self) -> int:
        return len(self.lengths)


class Batch(ABC):
    """What every batch offers.

    Attributes:
        source: ``(batch, source_len, ...)``, ids or vectors.
        index: ``(batch,)``, int64, the position of each example in its corpus.
    """

    source: Padded
    index: Tensor

    @property
    @abstractmethod
    def token_count(self) -> Tensor:
        """Scalar, int64: the positions that are predicted, or read where none are; padding not included."""

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Self:
        """A copy on another device."""
        names = [field.name for field in fields(self)]  # type: ignore[arg-type]  # every subclass is a dataclass
        moved = {name: getattr(self, name).to(device, non_blocking=non_blocking) for name in names}
        return replace(self, **moved)  # type: ignore[type-var]  # likewise

    def __len__(self) -> int:
        return len(self.index)


@dataclass(frozen=True)
class SequenceBatch(Batch):
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

    @property
    def token_count(self) -> Tensor:
        """Scalar, int64: the target tokens to predict, EOS included and padding not."""
        return self.target_output.lengths.sum()


@dataclass(frozen=True)
class LabelledBatch(Batch):
    """Sequences of vectors or ids, each with one label.

    Attributes:
        source: The vectors of each sequence, ``(batch, source_len, features)``, or its ids, ``(batch, source_len)``.
        label: ``(batch,)``, int64, the class of each sequence, counted from 0.
        index: ``(batch,)``, int64, the position of each sequence in its corpus.
    """

    source: Padded
    label: Tensor
    index: Tensor

    @property
    def token_count(self) -> Tensor:
        """Scalar, int64: the positions that are read, padding not included."""
        return self.source.lengths.sum()


@dataclass(frozen=True)
class VectorBatch(Batch):
    """Pairs of sequences of vectors.

    Attributes:
        source: ``(batch, source_len, source_features)``.
        target: ``(batch, target_len, target_features)``.
        index: ``(batch,)``, int64, the position of each pair in its corpus.
    """

    source: Padded
    target: Padded
    index: Tensor

    @property
    def target_input(self) -> Padded:
        """What the decoder is fed under teacher forcing: zeros, then the gold vectors but the last."""
        values = self.target.values
        return Padded(torch.cat([torch.zeros_like(values[:, :1]), values[:, :-1]], dim=1), self.target.lengths)

    @property
    def target_output(self) -> Padded:
        """What the decoder has to predict: the gold vectors."""
        return self.target

    @property
    def token_count(self) -> Tensor:
        """Scalar, int64: the target positions, padding not included."""
        return self.target.lengths.sum()


@dataclass(frozen=True)
class SeriesBatch(VectorBatch):
    """Windows of a series: what was, and what came then, all windows of one length.

    Letters: w steps that are read, h steps to predict, c columns to predict.

    Attributes:
        source: ``(batch, w, source_features)``; first the columns to predict, then 1 for each that is missing, else 0.
        target: ``(batch, h, 2 c)``, the columns to predict and what of them is missing, likewise.
        index: ``(batch,)``, int64, the number of each window in its split.
        future: ``(batch, h, future_features)``, what is known ahead of the steps to predict.
    """

    future: Tensor

    @property
    def columns(self) -> int:
        """How many columns are predicted."""
        return self.target.values.shape[-1] // 2

    @property
    def past(self) -> Tensor:
        """``(batch, w, c)``, 0 where a value is missing."""
        return self.source.values[..., : self.columns]

    @property
    def past_known(self) -> Tensor:
        """``(batch, w, c)``, bool: where there is a value."""
        return self.source.values[..., self.columns : 2 * self.columns] == 0

    @property
    def gold(self) -> Tensor:
        """``(batch, h, c)``, 0 where a value is missing."""
        return self.target.values[..., : self.columns]

    @property
    def gold_known(self) -> Tensor:
        """``(batch, h, c)``, bool: where there is a value, and so a loss."""
        return self.target.values[..., self.columns :] == 0

    @property
    def target_input(self) -> Padded:
        """What the decoder is fed under teacher forcing, with what is known ahead; ``(batch, h, 2 c + future)``.

        The step before the first is the last one that was read.
        """
        before = torch.cat([self.source.values[:, -1:, : 2 * self.columns], self.target.values[:, :-1]], dim=1)
        return Padded(torch.cat([before, self.future], dim=-1), self.target.lengths)

    def shifted(self, offset: Tensor) -> SeriesBatch:
        """The same with an offset taken off all values that are known.

        Args:
            offset: ``(batch, 1, c)``.
        """
        past = torch.where(self.past_known, self.past - offset, self.past)
        gold = torch.where(self.gold_known, self.gold - offset, self.gold)
        source = torch.cat([past, self.source.values[..., self.columns :]], dim=-1)
        target = torch.cat([gold, self.target.values[..., self.columns :]], dim=-1)
        return replace(self, source=Padded(source, self.source.lengths), target=Padded(target, self.target.lengths))
