"""What a decoder carries from step to step, and what it looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from torch import Tensor

LEAST_SHARED_ROWS = 64
"""Fewer rows take as long as those of them that differ."""

Thinned = Mapping[str, Tensor]
"""Hidden-to-hidden matrices without some of their values, by their names in an ``nn.RNNBase``; empty for none."""


class StateShape(NamedTuple):
    """The shape of a recurrent state.

    Attributes:
        parts: Number of tensors: 2 for an LSTM (h and c), 1 for a GRU or a plain RNN (h).
        layers: Number of layers.
        size: Width of one layer; for an encoder, of all its directions together.
    """

    parts: int
    layers: int
    size: int


@dataclass(frozen=True)
class Memory:
    """The encoder's outputs as a decoder attends to them.

    Attributes:
        values: ``(batch, source_len, memory_size)``, the encoder's outputs.
        mask: ``(batch, source_len)``, True where there is a token.
        keys: For each attention of the decoder, the memory as projected by it, once for all steps.
    """

    values: Tensor
    mask: Tensor
    keys: tuple[Tensor, ...]

    def select(self, rows: Tensor) -> Memory:
        """The memory of the given sentences, in their order; a sentence may be taken several times.

        Args:
            rows: ``(new_batch,)``, int64.
        """
        return Memory(
            self.values.index_select(0, rows),
            self.mask.index_select(0, rows),
            tuple(keys.index_select(0, rows) for keys in self.keys),
        )


@dataclass(frozen=True)
class DecoderState:
    """The state of a decoder between two steps.

    Attributes:
        recurrent: The recurrent state, each part ``(layers, batch, size)``.
        feed: ``(batch, output_size)``, the last output, where it is fed back (input feeding); else None.
        thinned: For each recurrent stack, what it has in place of its hidden-to-hidden matrices in this batch.
        rows: ``(rows,)``, int64, the row of the parts above that each prefix has, where several continue the same one;
            None where each has its own.
    """

    recurrent: tuple[Tensor, ...]
    feed: Tensor | None
    thinned: tuple[Thinned, ...]
    rows: Tensor | None = None

    def select(self, rows: Tensor) -> DecoderState:
        """The state of the given rows, in their order; a row may be taken several times.

        Many rows with the same one before them, as in a beam, share it, so that what follows from it is computed once.

        Args:
            rows: ``(new_rows,)``, int64.
        """
        rows = rows if self.rows is None else self.rows[rows]
        if len(rows) >= LEAST_SHARED_ROWS and rows.device.type == "cpu":
            distinct, shared = rows.unique(return_inverse=True)
            if len(distinct) < len(rows):
                return replace(self._taken(distinct), rows=shared)
        return replace(self._taken(rows), rows=None)

    def spread(self) -> DecoderState:
        """The same with a row for each prefix."""
        return self if self.rows is None else replace(self._taken(self.rows), rows=None)

    def _taken(self, rows: Tensor) -> DecoderState:
        return replace(
            self,
            recurrent=tuple(part.index_select(1, rows) for part in self.recurrent),
            feed=None if self.feed is None else self.feed.index_select(0, rows),
        )
