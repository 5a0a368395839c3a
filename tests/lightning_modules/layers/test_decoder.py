"""The two ways to run a decoder, over a whole target and step by step, agree."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
import torch

from lightning_modules.layers.attention import (
    AlignedAttention,
    Attention,
    BahdanauAttention,
    ConcatAttention,
    CoverageAttention,
    DotAttention,
    GeneralAttention,
    LocalMonotonicAttention,
    LocalPredictiveAttention,
    LocationAttention,
    NoAttention,
)
from lightning_modules.layers.decoder import BahdanauDecoder, Decoder, LuongDecoder, MultiStepDecoder
from lightning_modules.layers.recurrent import CELLS, Cell, RecurrentStack
from lightning_modules.layers.state import LEAST_SHARED_ROWS, DecoderState, Memory

BATCH, STEPS, SOURCE, EMBEDDING, MEMORY = 3, 4, 5, 3, 6

DECODERS: dict[str, Callable[..., Decoder]] = {
    "luong": partial(LuongDecoder, input_feeding=False),
    "luong, input feeding": partial(LuongDecoder, input_feeding=True, output_size=7),
    "bahdanau": partial(BahdanauDecoder, input_feeding=False),
    "bahdanau, input feeding": partial(BahdanauDecoder, input_feeding=True, output_size=7),
    "multi-step": MultiStepDecoder,
}
STATEFUL: dict[str, Callable[..., Attention]] = {
    "coverage": CoverageAttention,
    "fertility": partial(CoverageAttention, fertility=2.0),
    "location": partial(LocationAttention, filter_size=3),
    "local-m": partial(LocalMonotonicAttention, window=1),
    "aligned": partial(AlignedAttention, sources=2, targets=3),
}
ATTENTIONS: dict[str, Callable[..., Attention]] = {
    **{kind.__name__: kind for kind in (BahdanauAttention, ConcatAttention, DotAttention, GeneralAttention)},
    "none": NoAttention,
    "local-p": partial(LocalPredictiveAttention, window=2),
    **STATEFUL,
}


def begun(decoder: Decoder) -> tuple[Memory, DecoderState]:
    """A memory of sentences of three lengths, and a state before the first step."""
    mask = torch.arange(SOURCE) < torch.tensor([5, 2, 4])[:, None]
    memory = decoder.prepare_memory(torch.randn(BATCH, SOURCE, MEMORY, dtype=torch.float64), mask)
    parts, layers, size = decoder.state_shape
    start = decoder.initial_state(tuple(torch.randn(layers, BATCH, size, dtype=torch.float64) for _ in range(parts)))
    return memory, start


def agree(decoder: Decoder) -> None:
    decoder = decoder.double()
    memory, start = begun(decoder)
    embedded = torch.randn(BATCH, STEPS, EMBEDDING, dtype=torch.float64)
    outputs, weights, last = decoder(embedded, memory, start)
    assert outputs.shape == (BATCH, STEPS, decoder.output_size)
    state: DecoderState = start
    for position in range(STEPS):
        output, weight, state = decoder.step(embedded[:, position], memory, state)
        torch.testing.assert_close(output, outputs[:, position], rtol=0, atol=1e-12)
        torch.testing.assert_close(weight, weights[:, :, position], rtol=0, atol=1e-12)
    for part, last_part in zip(state.recurrent, last.recurrent, strict=True):
        torch.testing.assert_close(part, last_part, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("name", "cell", "layers"), list(itertools.product(DECODERS, CELLS, [1, 2])))
def test_forward_equals_steps(name: str, cell: Cell, layers: int, seed: int) -> None:
    agree(DECODERS[name](EMBEDDING, MEMORY, cell=cell, layers=layers, hidden_size=MEMORY))


@pytest.mark.parametrize(("name", "cell", "layers"), list(itertools.product(DECODERS, CELLS, [1, 2])))
def test_prefixes_that_share_a_row_of_the_state(name: str, cell: Cell, layers: int, seed: int) -> None:
    """Many prefixes with few before them, as in a beam, selected twice over: as with a row for each."""
    decoder = DECODERS[name](EMBEDDING, MEMORY, cell=cell, layers=layers, hidden_size=MEMORY).double()
    memory = decoder.prepare_memory(
        torch.randn(BATCH, SOURCE, MEMORY, dtype=torch.float64), torch.ones(BATCH, SOURCE) > 0
    )
    parts, _, size = decoder.state_shape
    first = decoder.initial_state(tuple(torch.randn(layers, BATCH, size, dtype=torch.float64) for _ in range(parts)))
    _, _, state = decoder.step(torch.randn(BATCH, EMBEDDING, dtype=torch.float64), memory, first)
    rows = torch.randint(BATCH, (2, LEAST_SHARED_ROWS // BATCH * BATCH + BATCH))
    shared = state.select(rows[0]).select(rows[1].sort().values)
    assert shared.rows is not None
    assert shared.recurrent[0].shape[1] <= BATCH
    own = shared.expanded()
    assert own.recurrent[0].shape[1] == rows.shape[1]
    assert own.select(torch.randperm(rows.shape[1])).rows is None
    embedded, which = torch.randn(4, EMBEDDING, dtype=torch.float64), torch.randint(4, rows.shape[1:])
    found = decoder.step(embedded, memory, shared, which)
    wanted = decoder.step(embedded[which], memory, own)
    for ours, theirs in zip((*found[:2], *found[2].recurrent), (*wanted[:2], *wanted[2].recurrent), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    assert found[2].rows is None


@pytest.mark.parametrize(("name", "cell"), list(itertools.product(DECODERS, CELLS)))
def test_one_draw_of_recurrent_dropout_is_for_all_steps(name: str, cell: Cell, seed: int) -> None:
    agree(DECODERS[name](EMBEDDING, MEMORY, cell=cell, layers=2, hidden_size=MEMORY, recurrent_dropout=0.5))


@pytest.mark.parametrize("name", DECODERS)
def test_recurrent_dropout_is_of_hidden_to_hidden_matrices_in_training(name: str, seed: int) -> None:
    """Each start draws anew; what is left out has no gradient; an evaluation leaves nothing out."""
    decoder = DECODERS[name](EMBEDDING, MEMORY, hidden_size=MEMORY, recurrent_dropout=0.5)
    whole = DECODERS[name](EMBEDDING, MEMORY, hidden_size=MEMORY)
    whole.load_state_dict(decoder.state_dict())
    memory = decoder.prepare_memory(torch.randn(BATCH, SOURCE, MEMORY), torch.ones(BATCH, SOURCE, dtype=torch.bool))
    parts, layers, size = decoder.state_shape
    recurrent = tuple(torch.randn(layers, BATCH, size) for _ in range(parts))
    embedded = torch.randn(BATCH, STEPS, EMBEDDING)
    start = decoder.initial_state(recurrent)
    first, again, other = (
        decoder(embedded, memory, state)[0] for state in (start, start, decoder.initial_state(recurrent))
    )
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)
    first.sum().backward()
    matrices = {each: weight for each, weight in decoder.named_parameters() if "weight_hh" in each}
    drawn = [weight for each in start.weights for weight in each.dropped.values()]
    assert len(drawn) == len(matrices) > 0
    for left, weight in zip(drawn, matrices.values(), strict=True):
        kept = left != 0
        assert weight.grad is not None
        assert torch.equal(left[kept], weight[kept] * 2)
        assert (weight.grad[~kept] == 0).all()
        assert (weight.grad[kept] != 0).any()
    decoder.eval(), whole.eval()
    results = [each(embedded, memory, each.initial_state(recurrent))[0] for each in (decoder, whole)]
    assert torch.equal(*results)


@pytest.mark.parametrize(("name", "attention"), list(itertools.product(DECODERS, ATTENTIONS)))
def test_forward_equals_steps_with_every_attention(name: str, attention: str, seed: int) -> None:
    agree(DECODERS[name](EMBEDDING, MEMORY, attention=ATTENTIONS[attention], hidden_size=MEMORY))


@pytest.mark.parametrize(("name", "attention"), list(itertools.product(DECODERS, STATEFUL)))
def test_a_target_goes_on_where_its_beginning_ended(name: str, attention: str, seed: int) -> None:
    decoder = DECODERS[name](EMBEDDING, MEMORY, attention=STATEFUL[attention], hidden_size=MEMORY).double()
    memory, start = begun(decoder)
    embedded = torch.randn(BATCH, STEPS, EMBEDDING, dtype=torch.float64)
    whole, weights, _ = decoder(embedded, memory, start)
    first, _, state = decoder(embedded[:, :1], memory, start)
    rest, rest_weights, _ = decoder(embedded[:, 1:], memory, state)
    torch.testing.assert_close(torch.cat([first, rest], dim=1), whole, rtol=0, atol=1e-12)
    torch.testing.assert_close(rest_weights, weights[:, :, 1:], rtol=0, atol=1e-12)
    assert not torch.allclose(decoder(embedded[:, 1:], memory, start)[1], rest_weights), "the state changes weights"


@pytest.mark.parametrize(("name", "attention"), list(itertools.product(DECODERS, STATEFUL)))
def test_what_was_attended_to_follows_each_prefix_of_a_beam(name: str, attention: str, seed: int) -> None:
    """Prefixes that take the place of others, as in a beam: each goes on as if it were alone."""
    decoder = DECODERS[name](EMBEDDING, MEMORY, attention=STATEFUL[attention], hidden_size=MEMORY).double()
    memory, start = begun(decoder)
    tokens = torch.randn(3, BATCH, EMBEDDING, dtype=torch.float64)
    width = LEAST_SHARED_ROWS // BATCH + 1
    state = decoder.step(tokens[0], memory, start)[2]
    chosen = torch.randint(BATCH * width, (BATCH * width,)) // width
    chosen = chosen.sort().values  # of sentences
    sentences = torch.arange(BATCH).repeat_interleave(width)
    beam = state.select(sentences)
    _, _, beam = decoder.step(tokens[1][chosen], memory, beam)
    order = (torch.randint(width, (BATCH, width)) + width * torch.arange(BATCH)[:, None]).flatten()
    output, weights, _ = decoder.step(tokens[2][sentences], memory, beam.select(order))
    for row in range(0, BATCH * width, 7):
        sentence, token = sentences[row : row + 1], chosen[order[row]][None]
        alone, one = memory.select(sentence), state.select(sentence)
        _, _, one = decoder.step(tokens[1][token], alone, one)
        wanted, wanted_weights, _ = decoder.step(tokens[2][sentence], alone, one)
        torch.testing.assert_close(output[row : row + 1], wanted, rtol=0, atol=1e-12)
        torch.testing.assert_close(weights[row : row + 1], wanted_weights, rtol=0, atol=1e-12)


def test_input_feeding_changes_what_follows(seed: int) -> None:
    """The fed-back output reaches the next step: without it, two histories would give one output."""
    decoder = LuongDecoder(EMBEDDING, MEMORY, hidden_size=MEMORY, input_feeding=True)
    memory = decoder.prepare_memory(torch.randn(1, SOURCE, MEMORY), torch.ones(1, SOURCE, dtype=torch.bool))
    start = decoder.initial_state((torch.zeros(1, 1, MEMORY), torch.zeros(1, 1, MEMORY)))
    fed = replace(start, feed=torch.ones(1, MEMORY))
    token = torch.randn(1, EMBEDDING)
    assert not torch.allclose(decoder.step(token, memory, start)[0], decoder.step(token, memory, fed)[0])


@pytest.mark.parametrize(("cell", "layers"), list(itertools.product(CELLS, [1, 3])))
def test_recurrent_stack_fused_equals_stepped(cell: Cell, layers: int, seed: int) -> None:
    stack = RecurrentStack(cell, 3, 2, hidden_size=4, layers=layers).double()
    inputs = torch.randn(2, 5, 5, dtype=torch.float64)
    state = tuple(torch.randn(layers, 2, 4, dtype=torch.float64) for _ in range(stack.state_shape.parts))
    weights = stack.sample_weights()
    outputs, last = stack(inputs, state, weights)
    for position in range(5):
        known, late = inputs[:, position, :3], inputs[:, position, 3:]
        output, state = stack.step(stack.project(known, weights), late, state, weights)
        torch.testing.assert_close(output, outputs[:, position], rtol=0, atol=1e-12)
    for part, last_part in zip(state, last, strict=True):
        torch.testing.assert_close(part, last_part, rtol=0, atol=1e-12)
