"""The layers of a Transformer against torch's own, step by step against at once, and alone against in a batch."""

from __future__ import annotations

import itertools
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from datamodules.errors import UserError
from lightning_modules.kernels.dropout import Dropout
from lightning_modules.layers.bridge import CopyBridge, ProjectionBridge, ZeroBridge
from lightning_modules.layers.decoder import Decoder
from lightning_modules.layers.state import LEAST_SHARED_ROWS, Memory
from lightning_modules.layers.transformer.block import FeedForward, SelfAttention
from lightning_modules.layers.transformer.decoder import CrossAttention, TransformerDecoder
from lightning_modules.layers.transformer.encoder import TransformerEncoder
from lightning_modules.layers.transformer.positions import Positions, RotaryPositions, SinusoidalPositions

SIZE, HEADS, INNER, LAYERS, MEMORY = 8, 2, 12, 3, 6
SIZES = {"hidden_size": SIZE, "heads": HEADS, "feedforward_size": INNER, "layers": LAYERS}
LENGTHS, STEPS = [7, 2, 5, 1], 6
BATCH, SOURCE = len(LENGTHS), max(LENGTHS)
MASK = torch.arange(SOURCE) < torch.tensor(LENGTHS)[:, None]

every_position = pytest.mark.parametrize("positions", [SinusoidalPositions, RotaryPositions])


def randomised(module: nn.Module) -> nn.Module:
    """In double precision, with biases and scales of its layer norms that show."""
    for parameter in module.double().parameters():
        nn.init.normal_(parameter, 1.0 if parameter.dim() < 2 else 0.0, 0.5)
    return module


def encoder_of(width: int = SIZE, **options: object) -> TransformerEncoder:
    encoder = TransformerEncoder(width, **(SIZES | options))
    randomised(encoder)
    return encoder


def decoder_of(width: int = SIZE, memory_size: int = MEMORY, **options: object) -> TransformerDecoder:
    decoder = TransformerDecoder(width, memory_size, **(SIZES | options))
    randomised(decoder)
    return decoder


def memory_for(decoder: Decoder, batch: int = BATCH, size: int = MEMORY) -> Memory:
    return decoder.prepare_memory(torch.randn(batch, SOURCE, size, dtype=torch.float64), MASK[:batch])


def target(width: int = SIZE, rows: int = BATCH, steps: int = STEPS) -> Tensor:
    return torch.randn(rows, steps, width, dtype=torch.float64)


@torch.no_grad()
def fill(theirs: nn.MultiheadAttention, projections: list[Tensor], output: Tensor) -> None:
    theirs.in_proj_weight.copy_(torch.cat(projections))
    theirs.in_proj_bias.zero_()
    theirs.out_proj.weight.copy_(output)
    theirs.out_proj.bias.zero_()


@torch.no_grad()
def fill_layer(theirs: nn.Module, ours: nn.Module, norms: list[str], cross: CrossAttention | None = None) -> None:
    """Copies a layer's weights into torch's; ours has no biases in its attentions."""
    attention, feedforward = ours.attention, ours.feedforward
    assert isinstance(attention, SelfAttention)
    assert isinstance(feedforward, FeedForward)
    fill(theirs.self_attn, [attention.input_projection.weight], attention.output_projection.weight)
    if cross is not None:
        inputs = [cross.query_projection.weight, cross.key_projection.weight, cross.value_projection.weight]
        fill(theirs.multihead_attn, inputs, cross.output_projection.weight)
    theirs.linear1.load_state_dict(feedforward.inner.state_dict())
    theirs.linear2.load_state_dict(feedforward.outer.state_dict())
    for number, name in enumerate(norms, 1):
        getattr(theirs, f"norm{number}").load_state_dict(getattr(ours, name).state_dict())


def waves(length: int, size: int) -> Tensor:
    return SinusoidalPositions(size, 1)(torch.zeros(1, length, size, dtype=torch.float64), 0)[0]


def test_the_encoder_is_torchs(seed: int) -> None:
    """Outputs at real positions and the gradients of both, the weights of one copied into the other."""
    ours = encoder_of()
    layer = nn.TransformerEncoderLayer(SIZE, HEADS, INNER, 0.0, batch_first=True, norm_first=True)
    theirs = nn.TransformerEncoder(layer, LAYERS, nn.LayerNorm(SIZE), enable_nested_tensor=False).double()
    for each, own in zip(theirs.layers, ours.layers, strict=True):
        fill_layer(each, own, ["attention_norm", "feedforward_norm"])
    theirs.norm.load_state_dict(ours.norm.state_dict())
    embedded, direction = target(steps=SOURCE), torch.randn(BATCH, SOURCE, SIZE, dtype=torch.float64)
    results = []
    for run in (
        lambda given: ours(given, torch.tensor(LENGTHS))[0],
        lambda given: theirs(given + waves(SOURCE, SIZE), src_key_padding_mask=~MASK),
    ):
        inputs = embedded.clone().requires_grad_()
        outputs = run(inputs)
        (gradient,) = torch.autograd.grad((outputs * direction)[MASK].sum(), inputs)
        results.append([outputs[MASK], gradient])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)


def test_the_decoder_is_torchs(seed: int) -> None:
    """Outputs, and the gradients of the target and of the memory, through which the encoder learns."""
    ours = decoder_of(memory_size=SIZE)
    layer = nn.TransformerDecoderLayer(SIZE, HEADS, INNER, 0.0, batch_first=True, norm_first=True)
    theirs = nn.TransformerDecoder(layer, LAYERS, nn.LayerNorm(SIZE)).double()
    for each, own, cross in zip(theirs.layers, ours.layers, ours.attentions, strict=True):
        assert isinstance(cross, CrossAttention)
        fill_layer(each, own, ["attention_norm", "memory_norm", "feedforward_norm"], cross)
    theirs.norm.load_state_dict(ours.norm.state_dict())
    causal = ~torch.ones(STEPS, STEPS, dtype=torch.bool).tril()
    given = [target(), target(steps=SOURCE)]
    direction = torch.randn(BATCH, STEPS, SIZE, dtype=torch.float64)
    results = []
    for run in (
        lambda embedded, memory: ours(embedded, ours.prepare_memory(memory, MASK), ours.initial_state(()))[0],
        lambda embedded, memory: theirs(
            embedded + waves(STEPS, SIZE), memory, tgt_mask=causal, memory_key_padding_mask=~MASK
        ),
    ):
        inputs = [each.clone().requires_grad_() for each in given]
        outputs = run(*inputs)
        results.append([outputs, *torch.autograd.grad((outputs * direction).sum(), inputs)])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)


@pytest.mark.parametrize("width", [SIZE, 5])
@every_position
def test_a_sentence_alone_and_in_a_padded_batch(positions: type[Positions], width: int, seed: int) -> None:
    """What lies on padding has no influence; the final state is the mean of the memory over the tokens."""
    encoder = encoder_of(width, positions=positions)
    embedded = target(width, steps=SOURCE)
    memory, (state,) = encoder(embedded, torch.tensor(LENGTHS))
    assert encoder.state_shape == (1, *state[:, 0].shape)
    for row, length in enumerate(LENGTHS):
        alone, (alone_state,) = encoder(embedded[row : row + 1, :length], torch.tensor([length]))
        torch.testing.assert_close(memory[row, :length], alone[0], rtol=0, atol=1e-10)
        torch.testing.assert_close(state[:, row], alone_state[:, 0], rtol=0, atol=1e-10)
        torch.testing.assert_close(state[0, row], alone[0].mean(dim=0), rtol=0, atol=1e-10)
        assert (memory[row, length:] == 0).all()


@pytest.mark.parametrize("width", [SIZE, 5])
@every_position
def test_steps_equal_the_whole_target(positions: type[Positions], width: int, seed: int) -> None:
    decoder = decoder_of(width, positions=positions)
    memory, embedded = memory_for(decoder), target(width)
    outputs, weights, last = decoder(embedded, memory, decoder.initial_state(()))
    assert outputs.shape == (BATCH, STEPS, SIZE)
    assert last.length == STEPS
    state = decoder.initial_state(())
    for position in range(STEPS):
        output, weight, state = decoder.step(embedded[:, position], memory, state)
        torch.testing.assert_close(output, outputs[:, position], rtol=0, atol=1e-12)
        torch.testing.assert_close(weight, weights[:, :, position], rtol=0, atol=1e-12)
    for layer, last_layer in zip(state.past, last.past, strict=True):
        torch.testing.assert_close(layer, last_layer, rtol=0, atol=1e-12)


@every_position
@pytest.mark.parametrize("pieces", [[1, 5], [2, 3, 1], [4, 2], [1, 1, 4]])
def test_a_target_in_pieces(pieces: list[int], positions: type[Positions], seed: int) -> None:
    """Forward goes on from the state of any other call, a step's too; a sentence may leave between two of them."""
    decoder = decoder_of(positions=positions)
    memory, embedded = memory_for(decoder), target()
    outputs, weights, _ = decoder(embedded, memory, decoder.initial_state(()))
    state, kept, start = decoder.initial_state(()), torch.arange(BATCH), 0
    for length in pieces:
        found, found_weights, state = decoder(embedded[kept, start : start + length], memory, state)
        torch.testing.assert_close(found, outputs[kept, start : start + length], rtol=0, atol=1e-12)
        torch.testing.assert_close(found_weights, weights[kept, :, start : start + length], rtol=0, atol=1e-12)
        start += length
        left = torch.tensor([2, 0]) if start == pieces[0] else torch.arange(len(kept))
        kept, memory, state = kept[left], memory.select(left), state.select(left)


def test_no_position_looks_at_those_after_it(seed: int) -> None:
    """The gradient of an output by the inputs: of later ones exactly 0, of all others not."""
    decoder = decoder_of()
    memory, embedded = memory_for(decoder), target().requires_grad_()
    outputs, _, _ = decoder(embedded, memory, decoder.initial_state(()))
    for position in range(STEPS):
        (gradient,) = torch.autograd.grad(outputs[:, position].square().sum(), embedded, retain_graph=True)
        assert (gradient[:, position + 1 :] == 0).all()
        assert (gradient[:, : position + 1].abs().amax(dim=2) > 0).all()


def test_the_weights_are_of_all_heads_of_all_layers(seed: int) -> None:
    """Exactly 0 on padding, and summing to 1; the lowest layer's first: with its queries 0, its heads look evenly."""
    decoder = decoder_of()
    with torch.no_grad():
        decoder.attentions[0].query_projection.weight.zero_()
    _, weights, _ = decoder(target(), memory_for(decoder), decoder.initial_state(()))
    assert weights.shape == (BATCH, LAYERS * HEADS, STEPS, SOURCE)
    assert (weights.transpose(1, 3)[~MASK] == 0).all()
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones_like(weights[..., 0]), rtol=0, atol=1e-12)
    for row, length in enumerate(LENGTHS):
        even = (weights[row, :, :, :length] - 1 / length).abs().amax(dim=(1, 2)) < 1e-12
        assert even.tolist() == [True] * HEADS + [length == 1] * (LAYERS - 1) * HEADS


@every_position
def test_prefixes_of_a_beam(positions: type[Positions], seed: int) -> None:
    """Several rows for each sentence, taken from others, some of them twice: as each with a memory of its own."""
    decoder = decoder_of(positions=positions)
    memory, size = memory_for(decoder), LEAST_SHARED_ROWS // BATCH + 1
    _, _, state = decoder(target(), memory, decoder.initial_state(()))
    for _ in range(2):
        width = len(state.past[0].keys) // BATCH
        rows = (torch.arange(BATCH)[:, None] * width + torch.randint(width, (BATCH, size))).flatten()
        state = state.select(rows)
        distinct, which = target(rows=3, steps=1)[:, 0], torch.randint(3, (BATCH * size,))
        each_own = memory.select(torch.arange(BATCH).repeat_interleave(size))
        expected = decoder.step(distinct[which], each_own, state)
        found = decoder.step(distinct, memory, state, which)
        for one, other in zip(found[:2], expected[:2], strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
        state = found[2]


def test_a_state_may_be_continued_twice(seed: int) -> None:
    """Two tokens after the same prefix: the second continuation knows nothing of the first."""
    decoder = decoder_of()
    memory, embedded, other = memory_for(decoder), target(), target(steps=1)[:, 0]
    _, _, state = decoder(embedded, memory, decoder.initial_state(()))
    with torch.no_grad():
        before = decoder.step(other, memory, state)[0]
        decoder.step(embedded[:, 0], memory, state)
        assert torch.equal(decoder.step(other, memory, state)[0], before)


def test_a_step_computes_nothing_again(seed: int) -> None:
    """Each layer is given one position of each row at each step, and the memory is projected once in all."""
    decoder = decoder_of()
    seen: dict[str, list[tuple[int, ...]]] = {}
    for name, module in decoder.named_modules():
        if isinstance(module, nn.Linear):
            shapes = seen.setdefault(name, [])
            module.register_forward_pre_hook(lambda _, given, shapes=shapes: shapes.append(given[0].shape[:-1]))
    memory, state = memory_for(decoder), decoder.initial_state(())
    for _ in range(STEPS):
        _, _, state = decoder.step(target(steps=1)[:, 0], memory, state)
    of_memory = {name for name in seen if "key_projection" in name or "value_projection" in name}
    assert len(seen) == 8 * LAYERS
    assert len(of_memory) == 2 * LAYERS
    for name, shapes in seen.items():
        assert shapes == ([(BATCH, SOURCE)] if name in of_memory else [(BATCH, 1)] * STEPS)


@pytest.mark.parametrize(("dropout", "attention_dropout"), [(0.5, 0.0), (0.0, 0.5)])
def test_dropout_is_in_training_alone(dropout: float, attention_dropout: float, seed: int) -> None:
    """Weights come out whole even where the context is made of what is left of them."""
    options = {"dropout": dropout, "attention_dropout": attention_dropout}
    encoder, decoder = encoder_of(**options), decoder_of(**options)
    whole = decoder_of()
    whole.load_state_dict(decoder.state_dict())
    embedded, lengths = target(steps=SOURCE), torch.tensor(LENGTHS)
    memory = memory_for(decoder)

    def run(part: TransformerDecoder) -> tuple[Tensor, Tensor]:
        return part(embedded, memory, part.initial_state(()))[:2]

    assert not torch.allclose(encoder(embedded, lengths)[0], encoder(embedded, lengths)[0])
    (one, weights), (other, _) = run(decoder), run(decoder)
    assert not torch.allclose(one, other)
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones_like(weights[..., 0]), rtol=0, atol=1e-12)
    encoder.eval(), decoder.eval()
    assert torch.equal(encoder(embedded, lengths)[0], encoder(embedded, lengths)[0])
    assert torch.equal(run(decoder)[0], run(whole)[0])


def test_dropout_of_the_attentions_is_on_weights(seed: int) -> None:
    """With all of both attentions dropped, a layer is its feed-forward network."""
    decoder = decoder_of(layers=1, positions=RotaryPositions)
    for module in decoder.modules():
        if isinstance(module, SelfAttention):
            module.dropout = 1.0
        elif isinstance(module, CrossAttention):
            module.dropout = Dropout(1.0)
    embedded, (layer,) = target(), decoder.layers
    outputs, _, _ = decoder(embedded, memory_for(decoder), decoder.initial_state(()))
    expected = decoder.norm(embedded + layer.feedforward(layer.feedforward_norm(embedded)))
    torch.testing.assert_close(outputs, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("part", [partial(TransformerEncoder, 8), partial(TransformerDecoder, 8, 8)])
def test_heads_divide_the_width(part: partial[nn.Module]) -> None:
    name = part.func.__name__
    with pytest.raises(UserError, match=rf"^heads of {name} is 3, which does not divide its hidden_size of 8: change"):
        part(hidden_size=8, heads=3)


def test_bridges_to_a_decoder_without_a_state(seed: int) -> None:
    """They make nothing, and have nothing to be trained; the one that copies says that it cannot."""
    encoder, decoder = encoder_of(), decoder_of()
    final = (torch.randn(1, BATCH, SIZE),)
    for kind in (ProjectionBridge, ZeroBridge):
        bridge = kind(encoder.state_shape, decoder.state_shape)
        assert bridge(final) == ()
        assert not list(bridge.parameters())
    with pytest.raises(UserError, match=r"^CopyBridge needs states .* the decoder's 0 of 0: .* take ProjectionBridge$"):
        CopyBridge(encoder.state_shape, decoder.state_shape)


@pytest.mark.parametrize(("gradients", "positions"), list(itertools.product([True, False], repeat=2)))
def test_half_precision_by_autocast(gradients: bool, positions: bool, seed: int) -> None:
    kind = SinusoidalPositions if positions else RotaryPositions
    encoder, decoder = encoder_of(positions=kind).float(), decoder_of(memory_size=SIZE, positions=kind).float()
    embedded = target(steps=SOURCE).float()

    def run() -> list[Tensor]:
        values, _ = encoder(embedded, torch.tensor(LENGTHS))
        memory = decoder.prepare_memory(values, MASK)
        outputs, weights, state = decoder(embedded, memory, decoder.initial_state(()))
        return [values, outputs, weights, decoder.step(embedded[:, 0], memory, state)[0]]

    with torch.set_grad_enabled(gradients):
        whole = run()
        with torch.autocast("cpu", torch.bfloat16):
            for half, full in zip(run(), whole, strict=True):
                assert (half.float() - full).square().mean() < 0.05 * full.square().mean()
