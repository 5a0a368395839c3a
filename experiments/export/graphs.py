"""A model as two graphs: the encoder, and one step of the decoder."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from datamodules.batch import BOS, EOS, SPECIAL_PIECES, Padded
from datamodules.errors import UserError
from experiments.export.layers import GraphEncoder
from experiments.export.states import Axes, state_tensors
from lightning_modules.layers.attention import Attention
from lightning_modules.layers.encoder import RecurrentEncoder
from lightning_modules.layers.heads import Attended
from lightning_modules.layers.state import Memory
from lightning_modules.monotonic_transducer import MonotonicTransducer
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder

GraphEncoderFactory = Callable[[RecurrentEncoder], GraphEncoder]

SOURCE_LENGTH = "source_len"
BATCH = "batch"


@dataclass(frozen=True)
class Port:
    """A tensor that a graph takes or gives.

    Attributes:
        name: Its name.
        dtype: Its type, as numpy writes it.
        shape: The size of each axis; a name where any size will do.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class Graph:
    """A graph, before it is written.

    Attributes:
        module: What computes it.
        inputs: What it takes, in order.
        outputs: What it gives, in order.
        examples: Inputs of it, of sizes that no other axis has.
    """

    module: nn.Module
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    examples: tuple[Tensor, ...]


@dataclass(frozen=True)
class Graphs:
    """A model as graphs of tensors alone.

    Attributes:
        encoder: Takes ``source`` ``(batch, source_len)``, int64, and ``lengths`` ``(batch,)``, EOS counted; gives the
            memory and the first state.
        step: Takes ``token`` ``(batch,)``, int64, the memory and the state; gives ``log_probabilities``
            ``(batch, target_vocabulary)`` and the next state.
        memory: Names of the tensors that are the same in all steps.
        state: Names of those that a step makes anew; ``next_`` stands before them where it gives them.
        copies_unknown: Whether a source may have ids above the vocabulary, for what this lacks of it; the
            ``log_probabilities`` have a column for each position of the source more.
    """

    encoder: Graph
    step: Graph
    memory: tuple[str, ...]
    state: tuple[str, ...]
    copies_unknown: bool


def graphs_of(model: TokenEncoderDecoder, recurrent: GraphEncoderFactory, copies_unknown: bool = False) -> Graphs:
    """Makes the graphs of a model.

    Args:
        model: In evaluation mode, on the CPU; it stays as it is.
        recurrent: Makes of a recurrent encoder the form that a format has.
        copies_unknown: Whether a source may have ids above the vocabulary, which the head then copies.

    Raises:
        UserError: A part of the model cannot be exported; the message names it.
    """
    _check(model)
    keyed = [position for position, project in enumerate(_projections(model)) if _has_keys(model, project)]
    copied = ["source_ids"] if model.output.copies else []
    keys = [f"memory_keys_{position}" for position in keyed]
    memory = [Axes(name, {1: SOURCE_LENGTH}) for name in ("memory", "mask", *keys, *copied)]
    state = state_tensors(model).axes
    names = tuple(each.name for each in state)
    source, token, encoded, seen, made = _examples(model, keyed, len(memory), copies_unknown)
    first = [_port(axes, tensor) for axes, tensor in zip([*memory, *state], encoded, strict=True)]
    before = [_port(axes, tensor) for axes, tensor in zip(state, seen, strict=True)]
    after = [
        _port(Axes(f"next_{axes.name}", axes.after()), tensor) for axes, tensor in zip(state, made[1:], strict=True)
    ]
    of_graphs = _with_graph_encoders(copy.deepcopy(model), recurrent).requires_grad_(False)
    encoder = Graph(
        _EncoderGraph(of_graphs, keyed).eval(),
        (_port(Axes("source", {1: SOURCE_LENGTH}), source.values), _port(Axes("lengths", {}), source.lengths)),
        tuple(first),
        (source.values, source.lengths),
    )
    step = Graph(
        _StepGraph(of_graphs, keyed, len(memory), copies_unknown).eval(),
        (_port(Axes("token", {}), token), *first[: len(memory)], *before),
        (_port(Axes("log_probabilities", _ids(model) if copies_unknown else {}), made[0]), *after),
        (token, *encoded[: len(memory)], *seen),
    )
    return Graphs(encoder, step, tuple(each.name for each in memory), names, copies_unknown)


EXAMPLE_LENGTHS = (7, 4)
"""Of the sources that a graph is made with: a batch of 2, one of them padded."""

EXAMPLE_STEPS = 3
"""Steps before the one that a graph is made of."""


@torch.no_grad()
def _examples(
    model: TokenEncoderDecoder, keyed: list[int], memory_tensors: int, copies_unknown: bool
) -> tuple[Padded, Tensor, Sequence[Tensor], Sequence[Tensor], Sequence[Tensor]]:
    """What flows through the model: a source, a token, what is encoded, the state before a step, and its output."""
    ids = range(len(SPECIAL_PIECES), model.source_embedding.num_embeddings)
    source = Padded.from_sequences(
        [[*(ids[at % len(ids)] for at in range(length - 1)), EOS] for length in EXAMPLE_LENGTHS]
    )
    token = torch.full((len(EXAMPLE_LENGTHS),), BOS)
    encoded = _EncoderGraph(model, keyed)(source.values, source.lengths)
    step = _StepGraph(model, keyed, memory_tensors, copies_unknown)
    memory, state = encoded[:memory_tensors], encoded[memory_tensors:]
    for _ in range(EXAMPLE_STEPS):
        state = step(token, *memory, *state)[1:]
    return source, token, encoded, state, step(token, *memory, *state)


def _ids(model: TokenEncoderDecoder) -> dict[int, str]:
    """How many ids there are, where each position of a source may have one of its own."""
    return {1: f"{SOURCE_LENGTH} + {model.output.out_features}"}


def _port(axes: Axes, tensor: Tensor) -> Port:
    names = {0: BATCH, **axes.dynamic}
    shape = tuple(names.get(axis, size) for axis, size in enumerate(tensor.shape))
    return Port(axes.name, str(tensor.dtype).removeprefix("torch."), shape)


def _check(model: TokenEncoderDecoder) -> None:
    own = [method for method in ("encode", "step", "read") if getattr(type(model), method).__module__ not in _KNOWN]
    if own:
        raise UserError(
            f"{type(model).__name__} cannot be exported: it has its own {' and '.join(own)}, and the graphs are those "
            "of TokenEncoderDecoder"
        )


_KNOWN = {each.__module__ for each in MonotonicTransducer.__mro__[:3]}
"""Where the methods are defined that the graphs are made of."""


def _with_graph_encoders(model: TokenEncoderDecoder, recurrent: GraphEncoderFactory) -> TokenEncoderDecoder:
    """Puts the form of a graph in the place of each recurrent encoder."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, RecurrentEncoder):
                setattr(module, name, recurrent(child))
    return model


def _projections(model: TokenEncoderDecoder) -> list[Callable[[Tensor], Tensor]]:
    """What makes each of the keys that a memory has."""
    attentions = cast(Iterable[Attention], model.decoder.attentions)
    made: list[Callable[[Tensor], Tensor]] = [attention.project for attention in attentions]
    if isinstance(model, MonotonicTransducer):
        made += model.alignment.projections
    return made


def _has_keys(model: TokenEncoderDecoder, project: Callable[[Tensor], Tensor]) -> bool:
    """Whether an attention has keys of its own: some look at the memory itself, or at nothing."""
    values = model.output.weight.new_zeros(1, 1, model.encoder.memory_size)
    keys = project(values)
    return keys is not values and keys.shape[2] > 0


class _PartsOf(nn.Module):
    """Has layers of a model for its own, but not the model: with its trainer and metrics it is no part of a graph.

    Args:
        model: The model.
        keyed: The attentions that have keys of their own.
        parts: Names of the layers; a hard alignment, where there is one, is always among them.
    """

    def __init__(self, model: TokenEncoderDecoder, keyed: list[int], parts: Sequence[str]) -> None:
        super().__init__()
        alignment = ("alignment",) if isinstance(model, MonotonicTransducer) else ()
        self.parts = nn.ModuleDict({name: getattr(model, name) for name in (*parts, *alignment)})
        self.keyed = keyed
        self._whole = (model,)  # in a tuple no module of this one

    @property
    def model(self) -> TokenEncoderDecoder:
        """The model whose layers these are."""
        return self._whole[0]


class _EncoderGraph(_PartsOf):
    """The encoder, the bridge, and what attentions make of the memory."""

    def __init__(self, model: TokenEncoderDecoder, keyed: list[int]) -> None:
        super().__init__(model, keyed, ("source_embedding", "encoder", "bridge", "decoder"))

    def forward(self, source: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        model, padded = self.model, Padded(source, lengths)
        values, final = model.read(padded)
        memory = model.decoder.prepare_memory(values, padded.mask)
        state = model.decoder.initial_state(model.bridge(final))
        if isinstance(model, MonotonicTransducer):
            memory = model.alignment.prepare(memory)
            state = model.alignment.initial(state, memory)
        copied = [model.copied_ids(source)] if model.output.copies else []
        keys = [memory.keys[position] for position in self.keyed]
        return (values, memory.mask, *keys, *copied, *state_tensors(model).initial(state, memory))


class _StepGraph(_PartsOf):
    """One step of the decoder, and the head."""

    def __init__(self, model: TokenEncoderDecoder, keyed: list[int], memory_tensors: int, copies_unknown: bool) -> None:
        super().__init__(model, keyed, ("target_embedding", "decoder", "to_embedding", "output"))
        self.memory_tensors = memory_tensors
        self.copies_unknown = copies_unknown

    def forward(self, token: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        model, layout = self.model, state_tensors(self.model)
        memory = self._memory(tensors[: self.memory_tensors])
        state = layout.state(tensors[self.memory_tensors :])
        if isinstance(model, MonotonicTransducer):
            found, _, state = model.step(token, memory, state)
            return (found, *layout.tensors(state))
        output, weights, state = model.decoder.step(model.target_embedding(token), memory, state)
        attended = None
        if memory.source is not None:
            greatest = None if self.copies_unknown else model.output.out_features - 1
            attended = Attended(weights.mean(dim=1), memory.source, greatest, self.copies_unknown)
        return (model.output.log_probabilities(model.to_embedding(output), attended), *layout.tensors(state))

    def _memory(self, tensors: tuple[Tensor, ...]) -> Memory:
        values, mask, *others = tensors
        given = dict(zip(self.keyed, others, strict=False))
        keys = tuple(
            given[position] if position in given else project(values)
            for position, project in enumerate(_projections(self.model))
        )
        return Memory(values, mask, keys, others[-1] if self.model.output.copies else None)
