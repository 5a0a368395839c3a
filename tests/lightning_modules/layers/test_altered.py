"""Attention at another temperature or with other weights for one look, and what each position adds to a context."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from datamodules.errors import UserError
from lightning_modules.layers.attention import (
    BahdanauAttention,
    CoverageAttention,
    GeneralAttention,
    MultiHeadAttention,
)
from lightning_modules.layers.attention.altered import even, reweighted, shuffled, tempered
from lightning_modules.layers.attention.contributions import contributions, parts_of_context
from lightning_modules.layers.decoder import MultiStepDecoder
from tests.lightning_modules.decoding.tiny_search import TRANSFORMER, sources, tiny_model


@pytest.mark.parametrize("kind", [BahdanauAttention, MultiHeadAttention, CoverageAttention])
def test_weights_are_the_softmax_of_the_scores_over_both_temperatures(kind: type, seed: int) -> None:
    attention = kind(4, 6, temperature=0.5)
    query, memory, mask = torch.randn(1, 1, 4), torch.randn(1, 5, 6), torch.ones(1, 5, dtype=torch.bool)
    keys = attention.project(memory)
    before = attention(query, keys, memory, mask)[1]
    warm = tempered(attention, 3.0)
    logits = before.log() * 0.5  # but for a constant, the scores
    expected = (logits / 1.5).softmax(dim=-1)
    torch.testing.assert_close(warm(query, keys, memory, mask)[1], expected)
    assert torch.equal(attention(query, keys, memory, mask)[1], before), "the one that was given is as it was"
    assert attention.temperature == 0.5


@pytest.mark.parametrize("decoder", [MultiStepDecoder, TRANSFORMER])
def test_a_model_shares_its_parameters_and_keeps_its_own_temperature(decoder: type, seed: int) -> None:
    model = tiny_model(seed, decoder)
    warm = tempered(model, 1e6)
    assert [id(one) for one in warm.parameters()] == [id(one) for one in model.parameters()]
    for each, is_even in ((model, False), (warm, True)):
        memory, state = each.encode(sources([4, 5, 4]))
        _, weights, _ = each.step(torch.tensor([1]), memory, state)
        assert weights.shape[1] == 2
        assert bool((weights - 0.25).abs().max() < 1e-4) is is_even
    assert tempered(model, 1.0) is model


@pytest.mark.parametrize("factor", [0.0, -1.0, float("inf"), float("nan")])
def test_no_temperature_is_refused_that_divides_by_nothing(factor: float) -> None:
    with pytest.raises(UserError, match="give a number above 0"):
        tempered(BahdanauAttention(4, 6), factor)


@pytest.mark.parametrize("kind", [BahdanauAttention, MultiHeadAttention])
def test_parts_of_a_context_sum_to_it_and_shares_to_one(kind: type, seed: int) -> None:
    attention = kind(4, 6)
    query, memory = torch.randn(2, 3, 4), torch.randn(2, 5, 6)
    mask = torch.arange(5) < torch.tensor([[5], [3]])
    keys = attention.project(memory)
    context, weights = attention(query, keys, memory, mask)
    parts = parts_of_context(attention, weights, keys, memory)
    torch.testing.assert_close(parts.sum(dim=2), context)
    norms, shares = contributions(attention, weights, keys, memory)
    torch.testing.assert_close(shares.sum(dim=2), torch.ones(2, 3))
    assert (norms[1, :, 3:] == 0).all()
    assert (shares[1, :, 3:] == 0).all(), "padding adds nothing"
    for step in range(3):
        alone = torch.zeros_like(weights)
        alone[..., step, 1] = weights[..., step, 1]
        part = attention.context(alone, keys, memory)[0, step]
        whole = context[0, step]
        assert shares[0, step, 1].item() == pytest.approx((part @ whole / (whole @ whole)).item(), abs=1e-5)
        assert norms[0, step, 1].item() == pytest.approx(part.norm().item(), abs=1e-5)


@pytest.mark.parametrize("change", [even, shuffled])
def test_other_weights_are_distributions_over_real_positions(
    change: Callable[[Tensor, Tensor], Tensor], seed: int
) -> None:
    torch.manual_seed(seed)
    mask = torch.arange(6) < torch.tensor([6, 3, 1])[:, None]
    own = torch.rand(3, 2, 50, 6).masked_fill(~mask[:, None, None, :], -torch.inf).softmax(-1)
    found = change(own, mask)
    torch.testing.assert_close(found.sum(-1), torch.ones(3, 2, 50))
    assert not found[~mask[:, None, None, :].expand_as(found)].any()
    if change is even:
        assert torch.equal(found[1, 0, 0], torch.tensor([1 / 3] * 3 + [0.0] * 3))
    else:
        assert torch.equal(found.sort(-1).values, own.sort(-1).values)
        assert not torch.equal(found, own)
        moved = (found[0] == own[0, ..., :1]).double().mean(dim=(0, 1))
        assert (moved - 1 / 6).abs().max() < 0.2


def test_weights_are_changed_for_one_look_alone(seed: int) -> None:
    torch.manual_seed(seed)
    attention = GeneralAttention(4, 6)
    query, memory, mask = torch.randn(2, 3, 4), torch.randn(2, 5, 6), torch.ones(2, 5) > 0
    keys = attention.project(memory)
    before = attention(query, keys, memory, mask)
    context, weights = reweighted(attention, even)(query, keys, memory, mask)
    torch.testing.assert_close(context, memory.mean(dim=1, keepdim=True).expand(-1, 3, -1))
    assert torch.equal(weights, torch.full((2, 1, 3, 5), 0.2))
    for one, other in zip(attention(query, keys, memory, mask), before, strict=True):
        assert torch.equal(one, other)
