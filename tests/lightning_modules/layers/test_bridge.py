"""Every encoder state becomes a decoder state of the right shape, from the right layer."""

import itertools

import pytest
import torch
from torch import nn

from datamodules.errors import UserError
from lightning_modules.layers.bridge import CopyBridge, LearnedBridge, ProjectionBridge, ZeroBridge
from lightning_modules.layers.initialisation import initialise
from lightning_modules.layers.state import StateShape


@pytest.mark.parametrize(
    ("encoder_parts", "decoder_parts", "encoder_layers", "decoder_layers"),
    list(itertools.product([1, 2], [1, 2], [1, 3], [1, 3])),
)
def test_projection_of_every_combination(
    encoder_parts: int, decoder_parts: int, encoder_layers: int, decoder_layers: int, seed: int
) -> None:
    bridge = ProjectionBridge(
        StateShape(encoder_parts, encoder_layers, 6), StateShape(decoder_parts, decoder_layers, 5)
    )
    state = tuple(torch.randn(encoder_layers, 2, 6) for _ in range(encoder_parts))
    made = bridge(state)
    assert [part.shape for part in made] == [(decoder_layers, 2, 5)] * decoder_parts
    for part in range(decoder_parts):
        source = state[part] if part < encoder_parts else state[0]
        for layer in range(decoder_layers):
            from_layer = layer if encoder_layers == decoder_layers else encoder_layers - 1
            projection = bridge.projections[part][layer]
            assert isinstance(projection, nn.Linear)
            expected = projection(source[from_layer])
            torch.testing.assert_close(made[part][layer], expected.tanh() if part == 0 else expected)


def test_copy_is_the_state_itself_and_refuses_other_shapes(seed: int) -> None:
    shape = StateShape(2, 2, 6)
    state = (torch.randn(2, 3, 6), torch.randn(2, 3, 6))
    assert all(map(torch.equal, CopyBridge(shape, shape)(state), state))
    one_layer = CopyBridge(shape, StateShape(2, 1, 6))(state)
    assert all(torch.equal(made[0], part[1]) for made, part in zip(one_layer, state, strict=True))
    with pytest.raises(UserError, match=r"width 6 .* of 5"):
        CopyBridge(shape, StateShape(2, 2, 5))


def test_zeros() -> None:
    made = ZeroBridge(StateShape(1, 1, 4), StateShape(2, 3, 5))((torch.ones(1, 2, 4),))
    assert [tuple(part.shape) for part in made] == [(3, 2, 5)] * 2
    assert all((part == 0).all() for part in made)


def test_a_learned_state_is_every_sentence_s_and_follows_its_gradient(seed: int) -> None:
    """Each number gets the sum of the gradients of all sentences, whatever the encoder said."""
    bridge = LearnedBridge(StateShape(1, 1, 4), StateShape(2, 3, 5))
    initialise(bridge, seed)
    first, second = (bridge((torch.randn(1, 2, 4),)) for _ in range(2))
    assert [tuple(part.shape) for part in first] == [(3, 2, 5)] * 2
    assert all(map(torch.equal, first, second))
    assert all(torch.equal(part[:, 0], part[:, 1]) for part in first)
    assert len({value for part in first for value in part[:, 0].flatten().tolist()}) == 30, "none is another's"
    wanted = tuple(torch.randn(3, 2, 5) for _ in range(2))
    torch.autograd.backward([(part * weight).sum() for part, weight in zip(first, wanted, strict=True)])
    for parameter, weight in zip(bridge.parameters(), wanted, strict=True):
        torch.testing.assert_close(parameter.grad, weight.sum(dim=1))
