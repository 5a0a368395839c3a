"""Attention after the recurrence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from lightning_modules.kernels.dropout import Dropout
from lightning_modules.kernels.linear import Linear
from lightning_modules.layers.attention import AttentionFactory, GeneralAttention
from lightning_modules.layers.checks import check_shares, check_sizes
from lightning_modules.layers.decoder.stepped import SteppedDecoder
from lightning_modules.layers.recurrent import Cell, RecurrentStack
from lightning_modules.layers.state import Memory, RecurrentState


class LuongDecoder(SteppedDecoder):
    """Attention after the RNN (Luong et al. 2015, section 3).

    ``h_t = RNN([y_t; o_(t-1)])``, ``c_t = attention(h_t)``, ``o_t = tanh(W [h_t; c_t])``. With input feeding (section
    3.3) the last output enters the RNN again, which takes a loop over the target. Without, a whole target is one
    fused RNN call and one batched attention.

    Args:
        embedding_size: Width of the embedded target; the model gives it.
        memory_size: Width of the memory; the model gives it.
        attention: The attention mechanism, made of (query size, memory size).
        cell: Kind of recurrent cell.
        hidden_size: Width of each recurrent layer.
        layers: Number of recurrent layers.
        input_feeding: Feed the last output back into the RNN.
        output_size: Width of the output; hidden_size if not given.
        dropout: Dropout between layers, and on the output.
        recurrent_dropout: Share of the values of the hidden-to-hidden matrices that a training batch leaves out.

    Raises:
        UserError: A size or the number of layers is below 1, or a dropout outside [0, 1).
    """

    def __init__(
        self,
        embedding_size: int,
        memory_size: int,
        attention: AttentionFactory = GeneralAttention,
        cell: Cell = "lstm",
        hidden_size: int = 512,
        layers: int = 1,
        input_feeding: bool = True,
        output_size: int | None = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_sizes(self, hidden_size=hidden_size, layers=layers, output_size=output_size)
        check_shares(self, dropout=dropout, recurrent_dropout=recurrent_dropout)
        self.output_size = output_size or hidden_size
        self.input_feeding = input_feeding
        feed_size = self.output_size if input_feeding else 0
        self.stack = RecurrentStack(cell, embedding_size, feed_size, hidden_size, layers, dropout, recurrent_dropout)
        self.state_shape = self.stack.state_shape
        built = attention(hidden_size, memory_size)
        self.attentions = nn.ModuleList([built])
        self.combine = Linear(hidden_size + built.context_size, self.output_size)
        self.dropout = Dropout(dropout)

    def forward(self, embedded: Tensor, memory: Memory, state: RecurrentState) -> tuple[Tensor, Tensor, RecurrentState]:
        """Runs over a whole target; see :meth:`Decoder.forward`."""
        if self.input_feeding:
            return super().forward(embedded, memory, state)
        state = state.expanded()
        hidden, recurrent = self.stack(embedded, state.recurrent, *state.weights)
        output, weights, attended = self._output(hidden, memory, state)
        return output, weights, replace(state, recurrent=recurrent, attended=attended)

    def _advance(
        self,
        embedded: Tensor,
        projected: Tensor,
        memory: Memory,
        state: RecurrentState,
    ) -> tuple[Tensor, Tensor, RecurrentState]:
        hidden, recurrent = self.stack.step(projected, state.feed, state.recurrent, state.weights[0], state.rows)
        output, weights, attended = self._output(hidden[:, None], memory, state)
        output = output.squeeze(1)
        feed = output if self.input_feeding else None
        state = replace(state, recurrent=recurrent, feed=feed, rows=None, attended=attended)
        return output, weights.squeeze(2), state

    def _output(
        self, hidden: Tensor, memory: Memory, state: RecurrentState
    ) -> tuple[Tensor, Tensor, Mapping[int, Tensor]]:
        context, weights, attended = self._attend_from(0, hidden, memory, state)
        return self.dropout(self.combine(torch.cat([hidden, context], dim=-1)).tanh()), weights, attended
