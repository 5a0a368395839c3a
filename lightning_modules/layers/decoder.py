"""Decoders: embedded target tokens and a memory to outputs, over a whole target at once or one token at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from lightning_modules.kernels.deferred_gradients import GatheredGradients
from lightning_modules.kernels.dropout import Dropout
from lightning_modules.kernels.linear import Linear
from lightning_modules.layers.attention import Attention, AttentionFactory, BahdanauAttention, GeneralAttention
from lightning_modules.layers.checks import check_shares, check_sizes
from lightning_modules.layers.recurrent import Cell, RecurrentStack, State
from lightning_modules.layers.state import BatchWeights, DecoderState, Memory, RecurrentState, StateShape, expand_rows
from lightning_modules.layers.stateful_attention import StatefulAttention

_Recur = Callable[[RecurrentStack, Tensor, State, BatchWeights], tuple[Tensor, State]]
"""Runs a recurrent layer over inputs ``(b, t, i)`` from a state: outputs ``(b, t, h)``, and the last state."""


StateT = TypeVar("StateT", bound=DecoderState)


class Decoder(nn.Module, ABC, Generic[StateT]):
    """What every decoder offers. Its two ways to run, :meth:`forward` and :meth:`step`, agree.

    Letters: b batch, t target length, s source length, e embedding size, o output size.

    Attributes:
        output_size: Width of the outputs, from which the model predicts tokens.
        state_shape: Shape of the recurrent state, which a bridge makes; of 0 parts where the decoder has none.
        attentions: The decoder's attentions, in the order of :attr:`Memory.keys`.
    """

    output_size: int
    state_shape: StateShape
    attentions: nn.ModuleList

    def prepare_memory(self, memory: Tensor, mask: Tensor) -> Memory:
        """Prepares the encoder's outputs to be attended to, once per sentence.

        Args:
            memory: ``(b, s, memory_size)``.
            mask: ``(b, s)``, True where there is a token.
        """
        return Memory(memory, mask, tuple(attention.project(memory) for attention in self._attentions()))

    @abstractmethod
    def initial_state(self, recurrent: State) -> StateT:
        """The state before the first step.

        Args:
            recurrent: From a bridge, each part ``(layers, b, hidden_size)``.
        """

    @abstractmethod
    def forward(self, embedded: Tensor, memory: Memory, state: StateT) -> tuple[Tensor, Tensor, StateT]:
        """Runs over a whole target, known beforehand.

        Args:
            embedded: ``(b, t, e)``.
            memory: From :meth:`prepare_memory`.
            state: From :meth:`initial_state` or an earlier call.

        Returns:
            Outputs ``(b, t, o)``, attention weights ``(b, heads, t, s)``, and the state after the last step.
        """

    @abstractmethod
    def step(
        self, embedded: Tensor, memory: Memory, state: StateT, rows: Tensor | None = None
    ) -> tuple[Tensor, Tensor, StateT]:
        """Runs one step.

        Args:
            embedded: ``(rows, e)``; each sentence of the memory has as many rows as the others, one after the other.
            memory: From :meth:`prepare_memory`.
            state: From :meth:`initial_state` or an earlier call, with as many rows.
            rows: ``(rows,)``, int64, which of the embedded each row has, where several have the same one; None where
                each has its own.

        Returns:
            Output ``(rows, o)``, attention weights ``(rows, heads, s)``, and the next state.
        """

    def _attentions(self) -> list[Attention]:
        return list(self.attentions)  # type: ignore[arg-type]  # a ModuleList does not say of what

    @property
    def heads(self) -> int:
        """Number of distributions over the source in the weights."""
        return sum(attention.heads for attention in self._attentions())

    def attention_loss(self, weights: Tensor, mask: Tensor) -> Tensor | None:
        """What the attentions add to the loss of a training; see :meth:`Attention.loss`.

        Args:
            weights: ``(b, heads, t, s)``, from :meth:`forward` or the steps of a whole target.
            mask: ``(b, t)``, True where there is a target token.

        Returns:
            A scalar, summed over target tokens; None for nothing.
        """
        losses, first = [], 0
        for attention in self._attentions():
            losses.append(attention.loss(weights[:, first : first + attention.heads], mask))
            first += attention.heads
        kept = [loss for loss in losses if loss is not None]
        return torch.stack(kept).sum() if kept else None

    def _attend(self, position: int, query: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """What one of the attentions finds, which needs no state.

        Args:
            position: Which attention.
            query: ``(rows, t, q)``; a sentence of the memory may have several rows, one after the other, as in a beam.
            memory: The encoded sentences.

        Returns:
            Context ``(rows, t, m)`` and weights ``(rows, heads, t, s)``.
        """
        rows, length, _ = query.shape
        of_sentences = query.reshape(len(memory.mask), -1, query.shape[2])
        context, weights = self.attentions[position](of_sentences, memory.keys[position], memory.values, memory.mask)
        if rows == len(memory.mask):
            return context, weights
        weights = weights.unflatten(2, (-1, length)).transpose(1, 2).flatten(0, 1)
        return context.reshape(rows, length, context.shape[2]), weights


class RecurrentDecoder(Decoder[RecurrentState]):
    """A decoder whose attentions may know what they attended to before."""

    def _attend_from(
        self, position: int, query: Tensor, memory: Memory, state: RecurrentState
    ) -> tuple[Tensor, Tensor, Mapping[int, Tensor]]:
        """What one of the attentions finds, given its state.

        Args:
            position: Which attention.
            query: ``(rows, t, q)``, as :meth:`_attend` takes it.
            memory: The encoded sentences.
            state: Before the first query.

        Returns:
            Context ``(rows, t, m)``, weights ``(rows, heads, t, s)``, and what is attended to until now.
        """
        attention = self.attentions[position]
        if not isinstance(attention, StatefulAttention):
            return *self._attend(position, query, memory), state.attended
        by_sentence = query.unflatten(0, (len(memory.mask), -1))
        before = state.attended.get(position)
        if before is None:
            first = attention.initial(memory.mask)[:, None]
            before = first.expand(-1, by_sentence.shape[1], *first.shape[2:])
        else:
            before = expand_rows(state.rows, before).unflatten(0, by_sentence.shape[:2])
        context, weights, after = attention.run(by_sentence, memory.keys[position], memory.values, memory.mask, before)
        attended = {**state.attended, position: after.flatten(0, 1)}
        return context.flatten(0, 1), weights.transpose(1, 2).flatten(0, 1), attended


class _SteppedDecoder(RecurrentDecoder):
    """A decoder whose recurrence needs what was attended to, and so runs a loop over the target.

    What does not depend on the recurrence, the projection of the embeddings, is made before the loop.
    """

    stack: RecurrentStack
    input_feeding: bool

    def initial_state(self, recurrent: State) -> RecurrentState:
        """The state before the first step; zeros are fed at first."""
        feed = recurrent[0].new_zeros(recurrent[0].shape[1], self.output_size) if self.input_feeding else None
        return RecurrentState(recurrent, feed, (self.stack.sample_weights(),))

    def forward(self, embedded: Tensor, memory: Memory, state: RecurrentState) -> tuple[Tensor, Tensor, RecurrentState]:
        """Runs over a whole target; see :meth:`Decoder.forward`."""
        outputs, weights = [], []
        projections = self.stack.project(embedded, *state.weights)
        with GatheredGradients():
            for token, projected in zip(embedded.unbind(1), projections.unbind(1), strict=True):
                output, weight, state = self._advance(token, projected, memory, state)
                outputs.append(output)
                weights.append(weight)
        return torch.stack(outputs, dim=1), torch.stack(weights, dim=2), state

    def step(
        self, embedded: Tensor, memory: Memory, state: RecurrentState, rows: Tensor | None = None
    ) -> tuple[Tensor, Tensor, RecurrentState]:
        """Runs one step; see :meth:`Decoder.step`."""
        projected = self.stack.project(embedded, *state.weights)
        return self._advance(expand_rows(rows, embedded), expand_rows(rows, projected), memory, state)

    @abstractmethod
    def _advance(
        self, embedded: Tensor, projected: Tensor, memory: Memory, state: RecurrentState
    ) -> tuple[Tensor, Tensor, RecurrentState]:
        """One step, given the embedding ``(b, e)`` and the recurrent stack's projection of it."""


class LuongDecoder(_SteppedDecoder):
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


class BahdanauDecoder(_SteppedDecoder):
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
