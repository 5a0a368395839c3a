"""What a decoder carries from step to step, and what it looks at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

from torch import Tensor

from lightning_modules.kernels.graph_form import GraphForm

LEAST_SHARED_ROWS = 64
"""Fewer rows take as long as those of them that differ."""

DroppedWeights = Mapping[str, Tensor]
"""Hidden-to-hidden matrices without some of their values, by their names in an ``nn.RNNBase``; empty for none."""


def unique_rows(ids: Tensor) -> tuple[Tensor, Tensor | None]:
    """What of many is the same, so that what follows from it need be computed once.

    Args:
        ids: ``(rows,)``, int64.

    Returns:
        Those that differ, and which of them each row has, ``(rows,)``; or all of them and None, where nothing comes
        twice, or there are few.
    """
    if GraphForm.current() is not None or len(ids) < LEAST_SHARED_ROWS or ids.device.type != "cpu":
        return ids, None
    distinct, which = ids.unique(return_inverse=True)
    return (distinct, which) if len(distinct) < len(ids) else (ids, None)


def expand_rows(rows: Tensor | None, values: Tensor) -> Tensor:
    """To each row its value.

    Args:
        rows: ``(rows,)``, int64, which value each row has; None where each has its own.
        values: ``(values, ...)``.

    Returns:
        ``(rows, ...)``.
    """
    return values if rows is None else values.index_select(0, rows)


class StateShape(NamedTuple):
    """The shape of a recurrent state.

    Attributes:
        parts: Number of tensors: 2 for an LSTM (h and c), 1 for a GRU or a plain RNN (h), 0 where there is
            no such state.
        layers: Number of layers.
        size: Width of one layer; for an encoder, of all its directions together.
    """

    parts: int
    layers: int
    size: int


@dataclass(frozen=True)
class BatchWeights:
    """What a recurrent stack multiplies with in one batch, cut and drawn once for all its steps.

    Attributes:
        sequence_weight: ``(gates * hidden_size, sequence_size)``, the columns of the first layer's input-to-hidden
            matrix for what is known of all steps beforehand.
        step_weight: ``(gates * hidden_size, step_size)``, the columns for what becomes known at each step.
        dropped: What there is in place of the hidden-to-hidden matrices.
    """

    sequence_weight: Tensor
    step_weight: Tensor
    dropped: DroppedWeights


@dataclass(frozen=True)
class Memory:
    """The encoder's outputs as a decoder attends to them.

    Attributes:
        values: ``(batch, source_len, memory_size)``, the encoder's outputs.
        mask: ``(batch, source_len)``, True where there is a token.
        keys: For each attention of the decoder, the memory as projected by it, once for all steps.
        source: ``(batch, source_len)``, int64, the ids that were encoded, where they can be copied; else None.
        greatest: Scalar, int64, the greatest id of all sources that were encoded together, likewise: a search chooses
            among equally many ids to its end, whichever sentences have left the batch.
    """

    values: Tensor
    mask: Tensor
    keys: tuple[Tensor, ...]
    source: Tensor | None = None
    greatest: Tensor | None = None

    def select(self, rows: Tensor) -> Memory:
        """The memory of the given sentences, in their order; a sentence may be taken several times.

        Args:
            rows: ``(new_batch,)``, int64.
        """
        return Memory(
            self.values.index_select(0, rows),
            self.mask.index_select(0, rows),
            tuple(keys.index_select(0, rows) for keys in self.keys),
            None if self.source is None else self.source.index_select(0, rows),
            self.greatest,
        )


class DecoderState(ABC):
    """What a decoder carries from step to step; what it is made of, its decoder alone knows."""

    @abstractmethod
    def select(self, rows: Tensor) -> Self:
        """The state of the given rows, in their order; a row may be taken several times.

        Args:
            rows: ``(new_rows,)``, int64.
        """


@dataclass(frozen=True)
class RecurrentState(DecoderState):
    """The state of a recurrent decoder between two steps.

    Attributes:
        recurrent: The recurrent state, each part ``(layers, batch, size)``.
        feed: ``(batch, output_size)``, the last output, where it is fed back (input feeding); else None.
        weights: For each recurrent stack, what it multiplies with in this batch.
        rows: ``(rows,)``, int64, the row of the other parts that each prefix has, where several continue the same one;
            None where each has its own.
        attended: ``(batch, ...)``, for each attention that knows what it attended to before, its state, by its position
            among the decoder's; nothing before the first step.
    """

    recurrent: tuple[Tensor, ...]
    feed: Tensor | None
    weights: tuple[BatchWeights, ...]
    rows: Tensor | None = None
    attended: Mapping[int, Tensor] = field(default_factory=dict)

    def select(self, rows: Tensor) -> RecurrentState:
        """The state of the given rows, in their order; a row may be taken several times.

        Many rows with the same one before them, as in a beam, share it, so that what follows from it is computed once.

        Args:
            rows: ``(new_rows,)``, int64.
        """
        distinct, which = unique_rows(rows if self.rows is None else self.rows[rows])
        return replace(self._taken(distinct), rows=which)

    def expanded(self) -> RecurrentState:
        """The same with a row for each prefix."""
        return self if self.rows is None else replace(self._taken(self.rows), rows=None)

    def _taken(self, rows: Tensor) -> RecurrentState:
        return replace(
            self,
            recurrent=tuple(part.index_select(1, rows) for part in self.recurrent),
            feed=None if self.feed is None else self.feed.index_select(0, rows),
            attended={position: state.index_select(0, rows) for position, state in self.attended.items()},
        )
