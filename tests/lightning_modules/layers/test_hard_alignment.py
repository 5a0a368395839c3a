"""The forward algorithm against all alignments, counted up one by one."""

from __future__ import annotations

import itertools
from functools import partial
from typing import get_args

import pytest
import torch
from torch import Tensor

from datamodules.errors import UserError
from lightning_modules.layers.attention import (
    AttentionFactory,
    BahdanauAttention,
    ConcatAttention,
    CoverageAttention,
    DotAttention,
    GeneralAttention,
    LocalMonotonicAttention,
    LocalPredictiveAttention,
    LocationAttention,
    MultiHeadAttention,
    NoAttention,
    ScaledDotAttention,
)
from lightning_modules.layers.hard_alignment import NEVER, HardAlignment, Order, monotone_prior, posterior_of
from lightning_modules.layers.state import Memory

SIZE = 4


def alignment(order: Order, attention: AttentionFactory = GeneralAttention) -> HardAlignment:
    return HardAlignment(SIZE, SIZE, attention, order).double()


def likelihood(order: Order, scores: Tensor, emission: Tensor) -> tuple[Tensor, Tensor]:
    """The sum over all alignments of a target, and the share of it in which the last token is at each position.

    Args:
        order: The order of the model.
        scores: ``(t, s)``, without padding.
        emission: ``(t, s)``.
    """
    steps, length = scores.shape
    by_last = [scores.new_zeros(()) for _ in range(length)]
    for path in itertools.product(range(length), repeat=steps):
        probability, last = scores.new_ones(()), 0
        for step, position in enumerate(path):
            first = last if order else 0
            if position < first:
                probability = probability * 0
            else:
                choice = scores[step, first:].softmax(0)[position - first]
                probability = probability * choice * emission[step, position].exp()
            last = position
        by_last[last] = by_last[last] + probability
    totals = torch.stack(by_last)
    return totals.sum(), totals / totals.sum()


@pytest.mark.parametrize("order", get_args(Order))
def test_all_alignments_are_summed_over(order: Order, seed: int) -> None:
    """Likelihood, last alignment and gradients, beside a longer source and a source of one token."""
    lengths, steps = [4, 1, 3], 4
    given = 2 * torch.randn(3, steps, 4).double()
    emission = torch.randn(3, steps, 4).double().requires_grad_()
    mask = torch.arange(4) < torch.tensor(lengths)[:, None]
    scores = given.masked_fill(~mask[:, None], NEVER).requires_grad_()
    start = torch.full((3, 4), NEVER).double()
    start[:, 0] = 0.0
    priors = alignment(order).priors(scores, emission, start)
    torch.testing.assert_close(priors.exp().sum(2), torch.ones(3, steps).double())
    assert (priors.exp()[~mask[:, None].expand_as(priors)] == 0).all()
    joint = priors + emission
    total = joint.logsumexp(2).sum(1)
    last = posterior_of(priors[:, -1], emission[:, -1]).exp()
    ours = torch.autograd.grad(total.sum(), [scores, emission], retain_graph=True)
    found = [
        likelihood(order, scores[row, :, :length], emission[row, :, :length]) for row, length in enumerate(lengths)
    ]
    theirs = torch.autograd.grad(sum(each.log() for each, _ in found), [scores, emission])
    for row, length in enumerate(lengths):
        torch.testing.assert_close(total[row], found[row][0].log(), rtol=0, atol=1e-12)
        torch.testing.assert_close(last[row, :length], found[row][1], rtol=0, atol=1e-12)
        assert (last[row, length:] == 0).all()
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_no_step_goes_back(seed: int) -> None:
    """From a known position, the softmax over it and those behind it; also where these have next to no score."""
    scores = torch.tensor([400.0, -3.0, -250.0, 1.0, NEVER], requires_grad=True)
    for start in range(4):
        known = torch.full((5,), NEVER)
        known[start] = 0.0
        found = monotone_prior(scores, known)
        assert (found[:start].exp() == 0).all()
        torch.testing.assert_close(found[start:], scores[start:].log_softmax(0))
        (gradient,) = torch.autograd.grad(found[start], scores)
        assert gradient.isfinite().all()


def test_a_token_that_is_impossible_everywhere_leaves_numbers() -> None:
    prior = torch.tensor([[0.5, 0.5, 0.0]]).log().clamp(min=NEVER)
    found = posterior_of(prior, torch.full((1, 3), -torch.inf))
    torch.testing.assert_close(found.exp(), torch.tensor([[0.5, 0.5, 0.0]]))


@pytest.mark.parametrize(
    "attention", [BahdanauAttention, ConcatAttention, DotAttention, GeneralAttention, ScaledDotAttention]
)
def test_at_order_0_alignments_are_the_weights_of_the_attention(attention: AttentionFactory, seed: int) -> None:
    layer = alignment(0, partial(attention, temperature=0.7))
    memory = torch.randn(2, 5, SIZE).double()
    mask = torch.tensor([[True] * 5, [True] * 2 + [False] * 3])
    outputs = torch.randn(2, 3, SIZE).double()
    scores = layer.scores(outputs, layer.prepare(Memory(memory, mask, ())))
    _, weights = layer.attention(outputs, layer.attention.project(memory), memory, mask)
    torch.testing.assert_close(layer.priors(scores, scores, scores[:, 0]).exp(), weights.squeeze(1), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "attention",
    [
        partial(MultiHeadAttention, heads=2),
        NoAttention,
        CoverageAttention,
        LocationAttention,
        LocalMonotonicAttention,
        LocalPredictiveAttention,
    ],
)
def test_what_is_no_single_score_is_refused(attention: AttentionFactory) -> None:
    with pytest.raises(UserError, match=r"takes one score of each position from its attention, and .*Attention is not"):
        alignment(1, attention)
