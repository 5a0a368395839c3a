"""Attention before the recurrence."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from lightning_modules.kernels.dropout import Dropout
from lightning_modules.kernels.linear import Linear
from lightning_modules.layers.attention import AttentionFactory, BahdanauAttention
from lightning_modules.layers.checks import check_shares, check_sizes
from lightning_modules.layers.decoder.stepped import SteppedDecoder
from lightning_modules.layers.recurrent import Cell, RecurrentStack
from lightning_modules.layers.state import Memory, RecurrentState


class BahdanauDecoder(SteppedDecoder):
    """Attention before the RNN (Bahdanau et al. 2015, section 3.1 and appendix A.2).

    ``c_t = attention(h_(t-1))``, ``h_t = RNN([y_t; c_t])``, ``o_t = tanh(W [h_t; c_t; y_t])``, the last with tanh in
    place of the paper's maxout. The query is the topmost layer's h. With input feeding the RNN also takes o_(t-1).

    Args:
        embedding_size: Width of the embedded target; the model gives it.
        memory_size: Width of the memory; the model gives it.
        attention: The attention mechanism, made of (query size, memory size).
        cell: Kind of recurrent cell.
        hidden_size: Width of each recurrent layer.
        layers: Number of recurrent layers.
        input_feeding: Feed the last output back into the RNN, beside the context.
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
        attention: AttentionFactory = BahdanauAttention,
        cell: Cell = "gru",
        hidden_size: int = 512,
        layers: int = 1,
        input_feeding: bool = False,
        output_size: int | None = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_sizes(self, hidden_size=hidden_size, layers=layers, output_size=output_size)
        check_shares(self, dropout=dropout, recurrent_dropout=recurrent_dropout)
        self.output_size = output_size or hidden_size
        self.input_feeding = input_feeding
        built = attention(hidden_size, memory_size)
        feed_size = self.output_size if input_feeding else 0
        step_size = built.context_size + feed_size
        self.stack = RecurrentStack(cell, embedding_size, step_size, hidden_size, layers, dropout, recurrent_dropout)
        self.state_shape = self.stack.state_shape
        self.attentions = nn.ModuleList([built])
        self.combine = Linear(hidden_size + built.context_size + embedding_size, self.output_size)
        self.dropout = Dropout(dropout)

    def _advance(
        self, embedded: Tensor, projected: Tensor, memory: Memory, state: RecurrentState
    ) -> tuple[Tensor, Tensor, RecurrentState]:
        state = state.expanded()
        query = state.recurrent[0][-1]
        context, weights, attended = self._attend_from(0, query[:, None], memory, state)
        context = context.squeeze(1)
        extra = context if state.feed is None else torch.cat([context, state.feed], dim=-1)
        hidden, recurrent = self.stack.step(projected, extra, state.recurrent, state.weights[0])
        output = self.dropout(self.combine(torch.cat([hidden, context, embedded], dim=-1)).tanh())
        feed = output if self.input_feeding else None
        state = replace(state, recurrent=recurrent, feed=feed, attended=attended)
        return output, weights.squeeze(2), state
