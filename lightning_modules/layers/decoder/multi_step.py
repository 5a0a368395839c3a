"""An attention above each recurrent layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from lightning_modules.kernels.dropout import Dropout
from lightning_modules.kernels.linear import Linear
from lightning_modules.layers.attention import AttentionFactory, GeneralAttention
from lightning_modules.layers.checks import check_shares, check_sizes
from lightning_modules.layers.decoder.decoder import RecurrentDecoder
from lightning_modules.layers.recurrent import Cell, RecurrentStack, State
from lightning_modules.layers.state import BatchWeights, Memory, RecurrentState, StateShape, expand_rows

_Recur = Callable[[RecurrentStack, Tensor, State, BatchWeights], tuple[Tensor, State]]
"""Runs a recurrent layer over inputs ``(b, t, i)`` from a state: outputs ``(b, t, h)``, and the last state."""


class MultiStepDecoder(RecurrentDecoder):
    """Recurrent layers with an attention above each (multi-step attention, Gehring et al. 2017, section 3.3).

    ``h^i = RNN^i([d^(i-1); c^(i-1)])``, ``d^i = dropout(h^i) + d^(i-1)``, ``c^i = attention^i(d^i)``, and the output is
    ``tanh(W [d^n; c^n])``; the lowest layer reads the embeddings and adds nothing. The layers above the lowest remember
    what was attended to, as with input feeding, but no recurrence waits for an attention of its own layer: a whole
    target is one fused RNN call and one batched attention per layer, without a loop.

    Args:
        embedding_size: Width of the embedded target; the model gives it.
        memory_size: Width of the memory; the model gives it.
        attention: The attention mechanism of each layer, made of (query size, memory size). Each layer's attention is
            one head of the weights.
        cell: Kind of recurrent cell.
        hidden_size: Width of each recurrent layer.
        layers: Number of recurrent layers, each with its attention.
        output_size: Width of the output; hidden_size if not given.
        dropout: Dropout on each layer, and on the output.
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
        layers: int = 2,
        output_size: int | None = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_sizes(self, hidden_size=hidden_size, layers=layers, output_size=output_size)
        check_shares(self, dropout=dropout, recurrent_dropout=recurrent_dropout)
        self.output_size = output_size or hidden_size
        built = [attention(hidden_size, memory_size) for _ in range(layers)]
        self.attentions = nn.ModuleList(built)
        above = [hidden_size + lower.context_size for lower in built]
        self.stacks = nn.ModuleList(
            RecurrentStack(cell, below, 0, hidden_size, recurrent_dropout=recurrent_dropout)
            for below in [embedding_size, *above[:-1]]
        )
        parts = self._stacks()[0].state_shape.parts
        self.state_shape = StateShape(parts, layers, hidden_size)
        self.combine = Linear(above[-1], self.output_size)
        self.dropout = Dropout(dropout)

    def initial_state(self, recurrent: State) -> RecurrentState:
        """The state before the first step."""
        return RecurrentState(recurrent, None, tuple(stack.sample_weights() for stack in self._stacks()))

    def forward(self, embedded: Tensor, memory: Memory, state: RecurrentState) -> tuple[Tensor, Tensor, RecurrentState]:
        """Runs over a whole target; see :meth:`Decoder.forward`."""
        return self._run(embedded, memory, state, lambda stack, *given: stack(*given))

    def step(
        self, embedded: Tensor, memory: Memory, state: RecurrentState, rows: Tensor | None = None
    ) -> tuple[Tensor, Tensor, RecurrentState]:
        """Runs one step; see :meth:`Decoder.step`."""
        output, weights, state = self._run(expand_rows(rows, embedded)[:, None], memory, state, _one_step)
        return output.squeeze(1), weights.squeeze(2), state

    def _run(
        self, embedded: Tensor, memory: Memory, state: RecurrentState, recur: _Recur
    ) -> tuple[Tensor, Tensor, RecurrentState]:
        state = state.expanded()
        inputs, below = embedded, None
        weights, states = [], []
        for layer, stack in enumerate(self._stacks()):
            before = tuple(part[layer : layer + 1] for part in state.recurrent)
            hidden, last = recur(stack, inputs, before, state.weights[layer])
            below = self.dropout(hidden) if below is None else self.dropout(hidden) + below
            context, weight, attended = self._attend_from(layer, below, memory, state)
            state = replace(state, attended=attended)
            inputs = torch.cat([below, context], dim=-1)
            weights.append(weight)
            states.append(last)
        output = self.dropout(self.combine(inputs).tanh())
        recurrent = tuple(torch.cat(parts) for parts in zip(*states, strict=True))
        return output, torch.cat(weights, dim=1), replace(state, recurrent=recurrent)

    def _stacks(self) -> list[RecurrentStack]:
        return list(self.stacks)  # type: ignore[arg-type]  # a ModuleList does not say of what


def _one_step(stack: RecurrentStack, inputs: Tensor, state: State, weights: BatchWeights) -> tuple[Tensor, State]:
    """A single step without the fused call, which would lay its weights out anew each time."""
    hidden, last = stack.step(stack.project(inputs.squeeze(1), weights), None, state, weights)
    return hidden[:, None], last
