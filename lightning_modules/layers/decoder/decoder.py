"""What every decoder offers: target tokens and a memory to outputs, a whole target at once or one token at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from lightning_modules.kernels.graph_form import GraphForm
from lightning_modules.layers.attention import Attention, StatefulAttention
from lightning_modules.layers.recurrent import State
from lightning_modules.layers.state import DecoderState, Memory, RecurrentState, StateShape, expand_rows

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
        if GraphForm.current() is not None:
            return self.attentions[position](query, memory.keys[position], memory.values, memory.mask)
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
        by_sentence = query.unflatten(0, (memory.mask.shape[0], -1))
        before = state.attended.get(position)
        if before is None:
            first = attention.initial(memory.mask)[:, None]
            before = first.expand(-1, by_sentence.shape[1], *first.shape[2:])
        else:
            before = expand_rows(state.rows, before).unflatten(0, by_sentence.shape[:2])
        context, weights, after = attention.run(by_sentence, memory.keys[position], memory.values, memory.mask, before)
        attended = {**state.attended, position: after.flatten(0, 1)}
        return context.flatten(0, 1), weights.transpose(1, 2).flatten(0, 1), attended
