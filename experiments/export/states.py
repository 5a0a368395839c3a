"""The states of decoders as named tensors, and back: what a graph takes and gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from datamodules.errors import UserError
from lightning_modules.layers.attention import StatefulAttention
from lightning_modules.layers.decoder import Decoder, MultiStepDecoder, SteppedDecoder
from lightning_modules.layers.hard_alignment import AlignedState
from lightning_modules.layers.state import DecoderState, Memory, RecurrentState
from lightning_modules.layers.transformer.block import KeysValues
from lightning_modules.layers.transformer.decoder import TransformerDecoder, TransformerState
from lightning_modules.monotonic_transducer import MonotonicTransducer
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder

StateT = TypeVar("StateT", bound=DecoderState)


class Axes(NamedTuple):
    """One of a state's tensors; its first axis is the batch.

    Attributes:
        name: Its name.
        dynamic: What the sizes of axes are called that are not the same each time, by axis; not the batch.
        grown: The axis that is one longer after a step; None where none is.
    """

    name: str
    dynamic: dict[int, str]
    grown: int | None = None

    def after(self) -> dict[int, str]:
        """The same names after a step."""
        return {axis: f"{name} + 1" if axis == self.grown else name for axis, name in self.dynamic.items()}


class StateTensors(ABC, Generic[StateT]):
    """How the state of a kind of decoder is laid out."""

    axes: list[Axes]

    @abstractmethod
    def initial(self, state: StateT, memory: Memory) -> list[Tensor]:
        """The tensors of a state before the first step.

        Args:
            state: From :meth:`Decoder.initial_state`.
            memory: The encoded sentences.
        """

    @abstractmethod
    def tensors(self, state: StateT) -> list[Tensor]:
        """Those of a state after a step."""

    @abstractmethod
    def state(self, tensors: Sequence[Tensor]) -> StateT:
        """The state of some tensors."""


class RecurrentTensors(StateTensors[RecurrentState]):
    """Of recurrent decoders: ``hidden`` and ``cell``, ``feed``, and what attentions remember.

    Args:
        decoder: The decoder.
    """

    def __init__(self, decoder: SteppedDecoder | MultiStepDecoder) -> None:
        self._decoder = decoder
        self._parts = ["hidden", "cell"][: decoder.state_shape.parts]
        self._feeds = isinstance(decoder, SteppedDecoder) and decoder.input_feeding
        self._remembering = [
            position
            for position, attention in enumerate(decoder.attentions)
            if isinstance(attention, StatefulAttention)
        ]
        feed = [Axes("feed", {})] if self._feeds else []
        remembered = [Axes(f"attended_{position}", self._axes_of(position)) for position in self._remembering]
        self.axes = [*(Axes(name, {}) for name in self._parts), *feed, *remembered]

    def _axes_of(self, position: int) -> dict[int, str]:
        """Coverage and location are as long as the source; a number of steps has the batch alone."""
        attention = self._decoder.attentions[position]
        assert isinstance(attention, StatefulAttention)
        return {1: "source_len"} if attention.initial(torch.ones(1, 2, dtype=torch.bool)).dim() > 1 else {}

    def initial(self, state: RecurrentState, memory: Memory) -> list[Tensor]:
        """See :meth:`StateTensors.initial`."""
        attentions = self._decoder.attentions
        first = [attentions[position].initial(memory.mask) for position in self._remembering]  # type: ignore[operator]
        return [*self._of_recurrence(state), *first]

    def tensors(self, state: RecurrentState) -> list[Tensor]:
        """See :meth:`StateTensors.tensors`."""
        return [*self._of_recurrence(state), *(state.attended[position] for position in self._remembering)]

    def _of_recurrence(self, state: RecurrentState) -> list[Tensor]:
        return [*(part.transpose(0, 1) for part in state.recurrent), *([] if state.feed is None else [state.feed])]

    def state(self, tensors: Sequence[Tensor]) -> RecurrentState:
        """See :meth:`StateTensors.state`."""
        left = list(tensors)
        recurrent = tuple(left.pop(0).transpose(0, 1) for _ in self._parts)
        feed = left.pop(0) if self._feeds else None
        weights = self._decoder.initial_state(recurrent).weights
        return RecurrentState(recurrent, feed, weights, None, dict(zip(self._remembering, left, strict=True)))


class TransformerTensors(StateTensors[TransformerState]):
    """Of a Transformer's decoder: keys and values of each layer, one position longer after each step.

    Args:
        decoder: The decoder.
    """

    def __init__(self, decoder: TransformerDecoder) -> None:
        self._layers = len(decoder.layers)
        self._heads: int = decoder.layers[0].attention.heads  # type: ignore[union-attr, assignment]
        self._size = decoder.output_size // self._heads
        self.axes = [
            Axes(f"{kind}_{layer}", {2: "past"}, 2) for layer in range(self._layers) for kind in ("keys", "values")
        ]

    def initial(self, state: TransformerState, memory: Memory) -> list[Tensor]:
        """Nothing before the first step; see :meth:`StateTensors.initial`."""
        none = memory.values.new_zeros(memory.values.shape[0], self._heads, 0, self._size)
        return [none.clone() for _ in self.axes]

    def tensors(self, state: TransformerState) -> list[Tensor]:
        """See :meth:`StateTensors.tensors`."""
        return [tensor for each in state.past for tensor in each]

    def state(self, tensors: Sequence[Tensor]) -> TransformerState:
        """See :meth:`StateTensors.state`."""
        return TransformerState(tuple(KeysValues(*tensors[at : at + 2]) for at in range(0, len(tensors), 2)))


class AlignedTensors(StateTensors[AlignedState]):
    """Of a hard alignment: what its decoder has, ``alignment`` and ``output``, from which the next alignment follows.

    Args:
        decoder: The tensors of the decoder.
        output_size: Width of its outputs.
    """

    def __init__(self, decoder: StateTensors[DecoderState], output_size: int) -> None:
        self._decoder = decoder
        self._output_size = output_size
        self.axes = [*decoder.axes, Axes("alignment", {1: "source_len"}), Axes("output", {})]

    def initial(self, state: AlignedState, memory: Memory) -> list[Tensor]:
        """Aligned to the first position, which no output can change; see :meth:`StateTensors.initial`."""
        none = memory.values.new_zeros(memory.values.shape[0], self._output_size)
        return [*self._decoder.initial(state.recurrent, memory), state.weights, none]

    def tensors(self, state: AlignedState) -> list[Tensor]:
        """See :meth:`StateTensors.tensors`."""
        assert state.output is not None
        return [*self._decoder.tensors(state.recurrent), state.weights, state.output]

    def state(self, tensors: Sequence[Tensor]) -> AlignedState:
        """See :meth:`StateTensors.state`."""
        *recurrent, weights, output = tensors
        return AlignedState(self._decoder.state(recurrent), weights, output)


def state_tensors(model: TokenEncoderDecoder) -> StateTensors[DecoderState]:
    """How the state of a model is laid out.

    Args:
        model: The model.

    Raises:
        UserError: Its decoder is of a kind whose state is not known.
    """
    of_decoder = _of_decoder(model.decoder)
    if isinstance(model, MonotonicTransducer):
        return AlignedTensors(of_decoder, model.decoder.output_size)  # type: ignore[return-value]  # of its state
    return of_decoder


def _of_decoder(decoder: Decoder[DecoderState]) -> StateTensors[DecoderState]:
    """How a decoder's state is laid out.

    Args:
        decoder: The decoder.

    Raises:
        UserError: It is of a kind whose state is not known.
    """
    if isinstance(decoder, TransformerDecoder):
        return TransformerTensors(decoder)  # type: ignore[return-value]  # of the state of this decoder
    if isinstance(decoder, SteppedDecoder | MultiStepDecoder):
        return RecurrentTensors(decoder)  # type: ignore[return-value]  # likewise
    kind = type(decoder).__name__
    raise UserError(
        f"the decoder {kind} cannot be exported: what its state is made of is not known; take one that is derived of "
        "SteppedDecoder, MultiStepDecoder or TransformerDecoder"
    )
