"""Encoders: embedded source tokens to a memory and a final state."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lightning_modules.layers.aligned import AlignedLSTM
from lightning_modules.layers.dropout import Dropout
from lightning_modules.layers.recurrent import CELLS, STATE_PARTS, Cell, State
from lightning_modules.layers.state import StateShape


class Encoder(nn.Module, ABC):
    """What every encoder offers.

    Attributes:
        memory_size: Width of the memory.
        state_shape: Shape of the final state, the directions joined in its size.
    """

    memory_size: int
    state_shape: StateShape

    @abstractmethod
    def forward(self, embedded: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
        """Encodes a padded batch; padding has no influence on anything before it.

        Args:
            embedded: ``(batch, source_len, embedding_size)``.
            lengths: ``(batch,)``, int64, at least 1.

        Returns:
            The memory ``(batch, source_len, memory_size)``, 0 on padding, and the final state, each part
            ``(layers, batch, size)``: of every layer the forward direction at the last token beside the backward
            direction at the first.
        """


class RecurrentEncoder(Encoder):
    """Recurrent layers in one direction or two (Schuster and Paliwal 1997).

    The backward direction starts at each sequence's own last token: by packing, or, for an LSTM on the CPU, by aligning
    the sequences at their ends, which is faster there.

    Args:
        embedding_size: Width of the embedded source; the model gives it.
        cell: Kind of recurrent cell.
        hidden_size: Width of each direction.
        layers: Number of layers.
        bidirectional: Read in both directions; the memory is then twice as wide.
        dropout: Dropout between layers, and on the memory.
    """

    def __init__(
        self,
        embedding_size: int,
        cell: Cell = "lstm",
        hidden_size: int = 256,
        layers: int = 1,
        bidirectional: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.rnn = CELLS[cell](
            embedding_size,
            hidden_size,
            layers,
            batch_first=True,
            bidirectional=bidirectional,
            dropout=dropout if layers > 1 else 0.0,
        )
        self.dropout = Dropout(dropout)
        self.between = Dropout(dropout)
        self.directions = 2 if bidirectional else 1
        self.memory_size = self.directions * hidden_size
        self.state_shape = StateShape(STATE_PARTS[cell], layers, self.memory_size)

    def forward(self, embedded: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
        """Encodes a padded batch; see :meth:`Encoder.forward`."""
        if isinstance(self.rnn, nn.LSTM) and embedded.device.type == "cpu":
            memory, final = self._aligned(self.rnn, embedded, lengths)
        else:
            memory, final = self._packed(embedded, lengths)
        return self.dropout(memory), tuple(self._join_directions(part) for part in final)

    def _aligned(self, rnn: nn.LSTM, embedded: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
        aligned = AlignedLSTM(lengths, embedded.shape[1])
        outputs, states = embedded, []
        for layer in range(rnn.num_layers):
            outputs, last = aligned.layer(rnn, layer, self.between(outputs) if layer else outputs)
            states.append(last)
        return outputs, tuple(torch.cat(parts) for parts in zip(*states, strict=True))

    def _packed(self, embedded: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
        packed = pack_padded_sequence(embedded, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, final = self.rnn(packed)
        memory, _ = pad_packed_sequence(outputs, batch_first=True, total_length=embedded.shape[1])
        return memory, final if isinstance(final, tuple) else (final,)

    def _join_directions(self, part: Tensor) -> Tensor:
        """``(layers * directions, batch, hidden)`` to ``(layers, batch, directions * hidden)``."""
        batch, hidden = part.shape[1:]
        return part.view(-1, self.directions, batch, hidden).transpose(1, 2).reshape(-1, batch, self.memory_size)
