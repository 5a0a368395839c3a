"""Attention against its formulas, written with loops."""

import math

import pytest
import torch

from datamodules.errors import UserError
from lightning_modules.layers.attention import (
    Attention,
    BahdanauAttention,
    ConcatAttention,
    DotAttention,
    GeneralAttention,
    MultiHeadAttention,
    NoAttention,
    ScaledDotAttention,
)

BATCH, STEPS, SOURCE, SIZE = 3, 2, 5, 4
LENGTHS = [5, 3, 1]


def looped_score(attention: Attention, query: torch.Tensor, memory: torch.Tensor) -> float:
    """The score of one query and one position, from the paper's formula."""
    q, m = query.tolist(), memory.tolist()

    def matvec(matrix: torch.Tensor, vector: list[float]) -> list[float]:
        return [sum(w * x for w, x in zip(row, vector, strict=True)) for row in matrix.tolist()]

    def dot(a: list[float], b: list[float]) -> float:
        return sum(x * y for x, y in zip(a, b, strict=True))

    match attention:
        case ScaledDotAttention():
            return dot(q, m) / math.sqrt(SIZE)
        case DotAttention():
            return dot(q, m)
        case GeneralAttention():
            return dot(q, matvec(attention.key_projection.weight, m))
        case BahdanauAttention():
            hidden = [
                math.tanh(a + b + c)
                for a, b, c in zip(
                    matvec(attention.query_projection.weight, q),
                    matvec(attention.key_projection.weight, m),
                    attention.key_projection.bias.tolist(),
                    strict=True,
                )
            ]
            return dot(attention.energy.weight[0].tolist(), hidden)
        case ConcatAttention():
            hidden = [math.tanh(x) for x in matvec(attention.projection.weight, q + m)]
            return dot(attention.energy.weight[0].tolist(), hidden)
    raise AssertionError(attention)


@pytest.mark.parametrize("temperature", [1.0, 0.3, 4.0])
@pytest.mark.parametrize(
    "kind", [DotAttention, ScaledDotAttention, GeneralAttention, BahdanauAttention, ConcatAttention]
)
def test_equals_its_formula_and_is_zero_on_padding(kind: type[Attention], temperature: float, seed: int) -> None:
    attention = kind(SIZE, SIZE, temperature=temperature).double()
    query = torch.randn(BATCH, STEPS, SIZE, dtype=torch.float64)
    memory = torch.randn(BATCH, SOURCE, SIZE, dtype=torch.float64)
    mask = torch.arange(SOURCE) < torch.tensor(LENGTHS)[:, None]
    context, weights = attention(query, attention.project(memory), memory, mask)
    assert weights.shape == (BATCH, 1, STEPS, SOURCE)
    for b, length in enumerate(LENGTHS):
        assert (weights[b, :, :, length:] == 0).all()
        for t in range(STEPS):
            scores = [math.exp(looped_score(attention, query[b, t], memory[b, s]) / temperature) for s in range(length)]
            for s in range(length):
                assert weights[b, 0, t, s].item() == pytest.approx(scores[s] / sum(scores), abs=1e-12)
            for d in range(SIZE):
                expected = sum(scores[s] / sum(scores) * memory[b, s, d].item() for s in range(length))
                assert context[b, t, d].item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("heads", [1, 2, 6])
def test_multi_head_attention_equals_torch(heads: int, seed: int) -> None:
    query_size, memory_size, size = 5, 4, 6
    attention = MultiHeadAttention(query_size, memory_size, heads, attention_size=size).double()
    query = torch.randn(BATCH, STEPS, query_size, dtype=torch.float64)
    memory = torch.randn(BATCH, SOURCE, memory_size, dtype=torch.float64)
    mask = torch.arange(SOURCE) < torch.tensor(LENGTHS)[:, None]
    context, weights = attention(query, attention.project(memory), memory, mask)
    # torch's wants a query as wide as the heads together: the projection is made before it
    torchs = torch.nn.MultiheadAttention(size, heads, bias=False, kdim=memory_size, vdim=memory_size, batch_first=True)
    torchs = torchs.double()
    with torch.no_grad():
        torchs.q_proj_weight.copy_(torch.eye(size))
        torchs.k_proj_weight.copy_(attention.key_projection.weight)
        torchs.v_proj_weight.copy_(attention.value_projection.weight)
        torchs.out_proj.weight.copy_(torch.eye(size))
    expected, expected_weights = torchs(
        attention.query_projection(query), memory, memory, key_padding_mask=~mask, average_attn_weights=False
    )
    torch.testing.assert_close(weights, expected_weights, rtol=0, atol=1e-12)
    torch.testing.assert_close(context, attention.output_projection(expected), rtol=0, atol=1e-12)
    assert (weights.transpose(1, 3)[~mask] == 0).all()


@pytest.mark.parametrize("heads", [0, 3, -1])
def test_heads_that_do_not_divide_the_width_are_refused(heads: int) -> None:
    with pytest.raises(UserError, match=f"has {heads} heads, which do not divide its width of 8"):
        MultiHeadAttention(8, 4, heads)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.inf, math.nan])
def test_impossible_temperatures_are_refused(temperature: float) -> None:
    with pytest.raises(UserError, match="temperature of GeneralAttention is"):
        GeneralAttention(4, 4, temperature)


def test_temperature_sharpens_and_evens_out(seed: int) -> None:
    memory, query = torch.randn(1, SOURCE, SIZE), torch.randn(1, 1, SIZE)
    mask = torch.ones(1, SOURCE, dtype=torch.bool)
    cold, warm = (DotAttention(SIZE, SIZE, temperature)(query, memory, memory, mask)[1] for temperature in (1e-4, 1e6))
    assert cold.max() > 1 - 1e-6
    torch.testing.assert_close(warm, torch.full_like(warm, 1 / SOURCE), rtol=1e-4, atol=0)


@pytest.mark.parametrize("kind", [GeneralAttention, BahdanauAttention, ConcatAttention])
def test_query_and_memory_may_differ_in_width(kind: type[Attention], seed: int) -> None:
    attention = kind(3, 6)
    memory = torch.randn(2, SOURCE, 6)
    context, _ = attention(
        torch.randn(2, 1, 3), attention.project(memory), memory, torch.ones(2, SOURCE, dtype=torch.bool)
    )
    assert context.shape == (2, 1, 6)
    assert attention.context_size == 6


def test_dot_attention_refuses_unequal_widths() -> None:
    with pytest.raises(UserError, match=r"hidden_size is 3 .* 6"):
        DotAttention(3, 6)


def test_no_attention_has_no_head_and_an_empty_context() -> None:
    attention = NoAttention(4, 4)
    memory = torch.randn(2, 5, 4)
    context, weights = attention(
        torch.randn(2, 3, 4), attention.project(memory), memory, torch.ones(2, 5, dtype=torch.bool)
    )
    assert context.shape == (2, 3, 0)
    assert weights.shape == (2, 0, 3, 5)
