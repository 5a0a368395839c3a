"""Poolings against sums written out, and against padding."""

from functools import partial

import pytest
import torch
from torch import Tensor

from lightning_modules.layers.pooling import AttentionPooling, FinalStatePooling, MaxPooling, MeanPooling, Pooling

LENGTHS = [4, 1, 6]
WIDTH = 5


@pytest.fixture
def memory(seed: int) -> Tensor:
    """Whatever stands on padding: a pooling must not look at it."""
    return torch.randn(len(LENGTHS), max(LENGTHS), WIDTH, dtype=torch.float64)


@pytest.fixture
def state(seed: int) -> tuple[Tensor, Tensor]:
    """The h and c of two layers, of another width than the memory."""
    return (
        torch.randn(2, len(LENGTHS), 3, dtype=torch.float64),
        torch.randn(2, len(LENGTHS), 3, dtype=torch.float64),
    )


MASK = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]


def pool(pooling: Pooling, memory: Tensor, state: tuple[Tensor, Tensor]) -> Tensor:
    pooled = pooling.double()(memory, state, MASK)
    assert pooled.shape == (len(LENGTHS), pooling.output_size)
    return pooled


def test_final_state_is_h_of_the_top_layer(memory: Tensor, state: tuple[Tensor, Tensor]) -> None:
    assert torch.equal(pool(FinalStatePooling(WIDTH, 3), memory, state), state[0][1])


@pytest.mark.parametrize(("kind", "of_sequence"), [(MeanPooling, partial(torch.mean, dim=0)), (MaxPooling, torch.amax)])
def test_mean_and_max_are_over_the_sequence_alone(
    kind: type[Pooling], of_sequence: partial[Tensor], memory: Tensor, state: tuple[Tensor, Tensor]
) -> None:
    pooled = pool(kind(WIDTH, 3), memory, state)
    for row, length in enumerate(LENGTHS):
        torch.testing.assert_close(pooled[row], of_sequence(memory[row, :length], dim=0))


def test_attention_is_a_weighted_mean_of_the_sequence_alone(memory: Tensor, state: tuple[Tensor, Tensor]) -> None:
    pooling = AttentionPooling(WIDTH, 3, attention_size=4)
    pooled = pool(pooling, memory, state)
    weights = pooling.weights(memory, MASK)
    assert (weights[~MASK] == 0).all()
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(len(LENGTHS), dtype=torch.float64))
    for row, length in enumerate(LENGTHS):
        hidden = (memory[row, :length] @ pooling.key_projection.weight.t() + pooling.key_projection.bias).tanh()
        scores = (hidden @ pooling.query.weight[0]).exp()
        expected = sum(score * vector for score, vector in zip(scores / scores.sum(), memory[row], strict=False))
        torch.testing.assert_close(pooled[row], expected)


@pytest.mark.parametrize("kind", [MeanPooling, MaxPooling, AttentionPooling])
def test_the_parts_of_the_positions_sum_to_the_pooled_vector(kind: type[Pooling], seed: int) -> None:
    pooling = kind(4, 4)
    memory, mask = torch.randn(2, 5, 4), torch.arange(5) < torch.tensor([[5], [3]])
    parts = pooling.parts(memory, mask)
    assert parts is not None
    torch.testing.assert_close(parts.sum(dim=1), pooling(memory, (), mask))
    assert (parts[1, 3:] == 0).all()


def test_a_final_state_is_no_sum_over_positions() -> None:
    assert FinalStatePooling(4, 4).parts(torch.randn(1, 3, 4), torch.ones(1, 3, dtype=torch.bool)) is None
