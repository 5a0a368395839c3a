"""Coverage, location and windows against their formulas, written with loops; whole targets, padding and losses."""

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from datamodules.errors import UserError
from lightning_modules.layers.attention import (
    AlignedAttention,
    Attention,
    CoverageAttention,
    DotAttention,
    LocalMonotonicAttention,
    LocalPredictiveAttention,
    LocationAttention,
    MultiHeadAttention,
)

STEPS, SOURCE, QUERY, MEMORY = 6, 5, 4, 3


def attended(attention: Attention, query: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
    """The weights, without heads."""
    _, weights = attention(query, attention.project(memory), memory, mask)
    return weights.squeeze(1)


def inputs(length: int = SOURCE) -> tuple[Tensor, Tensor, Tensor]:
    query, memory = torch.randn(1, STEPS, QUERY).double(), torch.randn(1, length, MEMORY).double()
    return query, memory, torch.ones(1, length, dtype=torch.bool)


@pytest.mark.parametrize("fertility", [None, 2.5])
def test_coverage_is_added_within_the_score(fertility: float | None, seed: int) -> None:
    attention = CoverageAttention(QUERY, MEMORY, attention_size=7, fertility=fertility).double()
    query, memory, mask = inputs()
    coverage = torch.zeros(SOURCE).double()
    found = attended(attention, query, memory, mask)[0]
    for step in range(STEPS):
        scores = []
        for position in range(SOURCE):
            seen = coverage[position]
            if attention.fertility_projection is not None and fertility is not None:
                seen = seen / (
                    fertility * torch.sigmoid(attention.fertility_projection.weight[0] @ memory[0, position])
                )
            hidden = (
                attention.query_projection.weight @ query[0, step] + attention.coverage_projection.weight[:, 0] * seen
            )
            hidden = hidden + attention.key_projection.weight @ memory[0, position] + attention.key_projection.bias
            scores.append(attention.energy.weight[0] @ hidden.tanh())
        wanted = torch.stack(scores).softmax(0)
        torch.testing.assert_close(found[step], wanted, rtol=0, atol=1e-12)
        coverage = coverage + wanted


def test_the_coverage_loss_is_that_of_the_paper(seed: int) -> None:
    weights = torch.rand(2, 1, STEPS, SOURCE).double().softmax(3)
    mask = torch.arange(STEPS) < torch.tensor([[STEPS], [2]])
    wanted = 0.0
    for sentence, length in enumerate((STEPS, 2)):
        coverage = torch.zeros(SOURCE)
        for step in range(length):
            wanted += sum(
                min(a, c) for a, c in zip(weights[sentence, 0, step].tolist(), coverage.tolist(), strict=True)
            )
            coverage = coverage + weights[sentence, 0, step]
    loss = CoverageAttention(QUERY, MEMORY, loss_weight=0.5).loss(weights, mask)
    assert loss is not None
    assert loss.item() == pytest.approx(0.5 * wanted, abs=1e-6)
    assert CoverageAttention(QUERY, MEMORY, loss_weight=0).loss(weights, mask) is None


@pytest.mark.parametrize("size", [1, 3, 7])
def test_location_is_a_convolution_of_the_last_weights(size: int, seed: int) -> None:
    attention = LocationAttention(QUERY, MEMORY, filters=2, filter_size=size).double()
    query, memory, mask = inputs()
    before = [0.0] * SOURCE
    found = attended(attention, query, memory, mask)[0]
    for step in range(STEPS):
        scores = []
        for position in range(SOURCE):
            near = [position + offset for offset in range(-(size // 2), size // 2 + 1)]
            seen = torch.tensor([before[at] if 0 <= at < SOURCE else 0.0 for at in near], dtype=torch.float64)
            located = attention.filter_projection.weight @ (attention.filters.weight[:, 0] @ seen)
            hidden = attention.query_projection.weight @ query[0, step] + located
            hidden = hidden + attention.key_projection.weight @ memory[0, position] + attention.key_projection.bias
            scores.append(attention.energy.weight[0] @ hidden.tanh())
        wanted = torch.stack(scores).softmax(0)
        torch.testing.assert_close(found[step], wanted, rtol=0, atol=1e-12)
        before = wanted.tolist()


@pytest.mark.parametrize("window", [1, 2, 9])
def test_a_window_that_moves_with_the_target(window: int, seed: int) -> None:
    attention = LocalMonotonicAttention(QUERY, MEMORY, window=window).double()
    query, memory, mask = inputs(length=4)
    found = attended(attention, query, memory, mask)[0]
    scores = attention.score(query, attention.project(memory))[0, 0].detach()
    for step in range(STEPS):
        centre = min(step, 3)
        inside = [position for position in range(4) if abs(position - centre) <= window]
        total = sum(math.exp(scores[step, position]) for position in inside)
        wanted = [math.exp(scores[step, at]) / total if at in inside else 0.0 for at in range(4)]
        assert found[step].tolist() == pytest.approx(wanted, abs=1e-12)


def test_a_window_around_a_predicted_position(seed: int) -> None:
    window = 2
    attention = LocalPredictiveAttention(QUERY, MEMORY, window=window).double()
    query, memory, mask = inputs()
    found = attended(attention, query, memory, mask)[0]
    scores = attention.score(query, attention.project(memory))[0, 0].detach()
    for step in range(STEPS):
        hidden = (attention.position_projection.weight @ query[0, step]).tanh()
        centre = SOURCE * torch.sigmoid(attention.position_energy.weight[0] @ hidden).item()
        weights = [
            math.exp(scores[step, at]) * math.exp(-((at - centre) ** 2) / (2 * (window / 2) ** 2))
            if abs(at - centre) <= window
            else 0.0
            for at in range(SOURCE)
        ]
        assert found[step].tolist() == pytest.approx([each / sum(weights) for each in weights], abs=1e-12)
    assert (found == 0).any(), "some positions are outside"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_predicted_window_has_its_width_in_mixed_precision_however_long_the_source_is(
    dtype: torch.dtype, seed: int
) -> None:
    length, window = 5000, 3
    attention = LocalPredictiveAttention(QUERY, MEMORY, window=window)
    query, memory = torch.randn(1, 50, QUERY), torch.randn(1, length, MEMORY)
    with torch.no_grad(), torch.autocast("cpu", dtype):
        weights = attended(attention, query, memory, torch.ones(1, length, dtype=torch.bool))[0]
    for found in (row.nonzero().squeeze(1) for row in weights):
        assert int(found[-1] - found[0]) <= 2 * window
        assert len(found) >= 2 * window - 1, "all of them, but for what the bell leaves out at the ends"


KINDS: dict[str, Callable[..., Attention]] = {
    "coverage": partial(CoverageAttention, fertility=2.0),
    "location": LocationAttention,
    "local-m": partial(LocalMonotonicAttention, window=1),
    "local-p": partial(LocalPredictiveAttention, window=1),
    "aligned": partial(AlignedAttention, sources=2, targets=3),
}


@pytest.mark.parametrize("name", KINDS)
def test_padding_changes_nothing_and_the_gradient_is_right(name: str, seed: int) -> None:
    attention = KINDS[name](QUERY, MEMORY).double()
    query, memory = torch.randn(2, STEPS, QUERY).double(), torch.randn(2, SOURCE, MEMORY).double()
    mask = torch.arange(SOURCE) < torch.tensor([[SOURCE], [3]])
    context, weights = attention(query, attention.project(memory), memory, mask)
    assert (weights[1, ..., 3:] == 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 1, STEPS).double())
    alone, alone_weights = attention(query[1:], attention.project(memory[1:, :3]), memory[1:, :3], mask[1:, :3])
    torch.testing.assert_close(context[1:], alone, rtol=0, atol=1e-12)
    torch.testing.assert_close(weights[1:, ..., :3], alone_weights, rtol=0, atol=1e-12)
    memory.requires_grad_()
    assert torch.autograd.gradcheck(lambda m: attention(query, attention.project(m), m, mask)[0], (memory,))


WINDOWS: dict[str, Callable[[int, float], float]] = {
    "local-m": lambda at, centre: abs(at - centre),
    "local-p": lambda at, centre: abs(at - centre),
    "aligned": lambda at, first: max(first - at, at - first - 1, 0),  # a group of two
}


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("hidden", [[0], [0, 1, 2], [2, 3], [1, 2, 3, 4], [0, 1, 2, 3, 4]])
def test_a_window_is_where_it_was_whatever_is_hidden_and_as_wide_as_it_has_to_be(
    name: str, hidden: list[int], seed: int
) -> None:
    """A source of six and one of seven, of padding the seventh; what is hidden is in its midst or at its beginning."""
    attention = KINDS[name](QUERY, MEMORY).double()
    width = 0 if name == "aligned" else 1
    query, memory = torch.randn(1, STEPS, QUERY).double(), torch.randn(1, 7, MEMORY).double()
    mask = torch.arange(7)[None] < 6
    mask[:, hidden] = False
    with torch.no_grad():
        context, weights = attention(query, attention.project(memory), memory, mask)
        scores = attention.score(query, attention.project(memory))[0, 0]
    for step in range(STEPS):
        centre: float = min(step, 5) if name == "local-m" else step // 3 * 2
        if isinstance(attention, LocalPredictiveAttention):
            inner = (attention.position_projection.weight @ query[0, step]).tanh()
            centre = 6 * torch.sigmoid(attention.position_energy.weight[0] @ inner).item()
        distances = {at: WINDOWS[name](at, centre) for at in range(6) if at not in hidden}
        reach = max(width, min(distances.values()))
        wanted = torch.zeros(7).double()
        for at, distance in distances.items():
            if distance <= reach:
                bias = -2 * distance**2 if name == "local-p" else 0.0
                wanted[at] = math.exp(scores[step, at] + bias)
        wanted /= wanted.sum()
        torch.testing.assert_close(weights[0, 0, step], wanted, rtol=0, atol=1e-12)
        torch.testing.assert_close(context[0, step], wanted @ memory[0], rtol=0, atol=1e-12)


def test_a_window_over_any_attention(seed: int) -> None:
    heads = partial(MultiHeadAttention, heads=2)
    attention = LocalMonotonicAttention(QUERY, MEMORY, window=1, score=heads).double()
    query, memory, mask = inputs()
    context, weights = attention(query, attention.project(memory), memory, mask)
    assert weights.shape == (1, 2, STEPS, SOURCE)
    assert context.shape == (1, STEPS, MEMORY)
    wide = LocalPredictiveAttention(QUERY, QUERY, window=2 * SOURCE, score=DotAttention).double()
    torch.nn.init.zeros_(wide.position_energy.weight)
    query, memory = torch.randn(1, STEPS, QUERY).double(), torch.randn(1, SOURCE, QUERY).double()
    distance = torch.arange(SOURCE, dtype=torch.float64) - SOURCE / 2
    scores = query @ memory.transpose(1, 2) - distance.square() / (2 * SOURCE**2)
    torch.testing.assert_close(attended(wide, query, memory, mask), scores.softmax(-1), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("sources", "targets"), [(1, 1), (1, 2), (2, 1), (3, 2)])
def test_a_token_sees_its_own_group_alone(sources: int, targets: int, seed: int) -> None:
    attention = AlignedAttention(QUERY, MEMORY, sources, targets).double()
    query, memory = torch.randn(1, 7, QUERY).double(), torch.randn(1, SOURCE, MEMORY).double()
    mask = torch.ones(1, SOURCE, dtype=torch.bool)
    _, weights = attention(query, attention.project(memory), memory, mask)
    scores = attention.score(query, attention.project(memory))[0, 0]
    for token in range(7):
        first = min(token // targets * sources, SOURCE - 1)
        group = scores[token, first : first + sources].softmax(0)
        expected = torch.zeros(SOURCE).double()
        expected[first : first + sources] = group
        torch.testing.assert_close(weights[0, 0, token], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: CoverageAttention(4, 4, loss_weight=-1), "the loss_weight of CoverageAttention is -1: give 0 or more"),
        (
            lambda: CoverageAttention(4, 4, fertility=0),
            "the fertility of CoverageAttention is 0: give a number above 0",
        ),
        (
            lambda: LocationAttention(4, 4, filter_size=4),
            "the filter_size of LocationAttention is 4: give an odd number",
        ),
        (lambda: LocationAttention(4, 4, filters=0), "filters of LocationAttention is 0: give at least 1"),
        (lambda: AlignedAttention(4, 4, targets=0), "targets of AlignedAttention is 0: give at least 1"),
        (lambda: LocalMonotonicAttention(4, 4, window=0), "window of LocalMonotonicAttention is 0: give at least 1"),
    ],
)
def test_what_cannot_be_is_refused(make: Callable[[], Attention], told: str) -> None:
    with pytest.raises(UserError, match=told):
        make()
