"""Weight gradients that are made once for a whole loop are those of autograd."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from lightning_modules.kernels import onednn
from lightning_modules.kernels.deferred_gradients import GatheredGradients
from lightning_modules.kernels.linear import Linear, joint_linear, linear, matmul
from lightning_modules.layers.attention import BahdanauAttention, ConcatAttention, MultiHeadAttention
from lightning_modules.layers.decoder import BahdanauDecoder, Decoder, LuongDecoder


def loop(steps: int, inputs: Tensor, wide: Linear, whole: Tensor, size: int) -> Tensor:
    """A recurrence with a layer, and with two parts of one matrix that are cut out anew in each step."""
    state = inputs
    for _ in range(steps):
        hidden = wide(state).tanh()
        state = linear(hidden, whole[:, :size]) + linear(hidden, whole[:, size:]).tanh()
    return state.square().sum()


@pytest.mark.usefixtures("seed")
@pytest.mark.parametrize("bias", [True, False])
def test_gradients_are_those_of_autograd(bias: bool) -> None:
    wide = Linear(4, 6, bias=bias).double()
    whole = torch.randn(4, 12, dtype=torch.double, requires_grad=True)
    inputs = torch.randn(3, 4, dtype=torch.double, requires_grad=True)
    wanted = [*wide.parameters(), whole, inputs]
    plain = torch.autograd.grad(loop(5, inputs, wide, whole, 6), wanted)
    with GatheredGradients():
        loss = loop(5, inputs, wide, whole, 6)
    twice = [torch.autograd.grad(loss, wanted, retain_graph=True) for _ in range(2)]
    for gathered in twice:
        for ours, theirs in zip(gathered, plain, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("seed")
@pytest.mark.parametrize("shapes", [((3,), (3, 4)), ((2, 3), (3,)), ((1, 3), (5, 3, 4)), ((5, 1, 3), (3, 4))])
def test_products_of_other_shapes_are_left_alone(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    left, right = (torch.randn(shape, dtype=torch.double, requires_grad=True) for shape in shapes)

    def gradients() -> tuple[Tensor, ...]:
        return torch.autograd.grad(matmul(left, right).square().sum(), [left, right])

    plain = gradients()
    with GatheredGradients():
        gathered = gradients()
    for ours, theirs in zip(gathered, plain, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("seed")
def test_parts_of_a_layer_and_products_with_a_memory() -> None:
    """What a decoder multiplies at each step: two inputs of one layer, and weights with each sentence's memory."""
    weights = [torch.randn(5, size, dtype=torch.double, requires_grad=True) for size in (7, 5)]
    bias = torch.randn(5, dtype=torch.double, requires_grad=True)
    memory = torch.randn(3, 4, 5, dtype=torch.double, requires_grad=True)
    inputs = torch.randn(3, 7, dtype=torch.double, requires_grad=True)
    wanted = [*weights, bias, memory, inputs]

    def gradients() -> tuple[tuple[Tensor, ...], int]:
        state = inputs[:, :5]
        for _ in range(6):
            state = joint_linear((inputs, state), weights, bias).tanh()
            state = matmul(state[:, None, :4].softmax(dim=2), memory).squeeze(1)
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as run:
            found = torch.autograd.grad(state.square().sum(), wanted)
        return found, sum(event.count for event in run.key_averages() if event.key in ("aten::mm", "aten::bmm"))

    plain, often = gradients()
    with GatheredGradients():
        gathered, seldom = gradients()
    for ours, theirs in zip(gathered, plain, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    assert often == 6 * (4 + 2)  # in each step two for each of the three that are multiplied
    assert seldom == 6 * 2 + 3  # in each step one for the layer and one for the memory, and one for each matrix


@pytest.mark.usefixtures("seed")
@pytest.mark.parametrize("amd", [True, False])
def test_large_products_in_float32_have_the_gradients_of_float64(amd: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that oneDNN makes, with packed weights, and with parts of a wider matrix."""
    monkeypatch.setattr(onednn, "is_by_amd", lambda: amd)
    given = [nn.Parameter(torch.randn(shape) / 16) for shape in ((512, 256), (512,), (256, 1024), (64, 256))]

    def gradients(precision: torch.dtype) -> tuple[Tensor, ...]:
        weight, bias, whole, inputs = parameters = [each.detach().to(precision).requires_grad_() for each in given]
        wide = Linear(256, 512, dtype=precision)
        wide.weight, wide.bias = nn.Parameter(weight.detach()), nn.Parameter(bias.detach())
        with GatheredGradients():
            loss = loop(4, inputs, wide, whole, 512)
        return torch.autograd.grad(loss, [wide.weight, wide.bias, whole, parameters[-1]])

    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as run:
        single = gradients(torch.float32)
    by_onednn = sum(event.count for event in run.key_averages() if "linear_pointwise" in event.key)
    assert by_onednn > 12 if amd else by_onednn == 12
    for ours, theirs in zip(single, gradients(torch.float64), strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-4, atol=1e-5 * float(theirs.abs().max()))


@pytest.mark.usefixtures("seed")
def test_a_weight_gets_one_product_for_the_whole_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many products come back through the layer as there are steps, and one more for its weight."""
    layer = Linear(40, 40, bias=False)
    inputs = torch.randn(2, 40, requires_grad=True)

    def products(context: Callable[[], object]) -> int:
        state = inputs
        with context():
            for _ in range(6):
                state = layer(state).tanh()
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            state.sum().backward()
        return sum(event.count for event in profile.key_averages() if event.key == "aten::mm")

    assert products(nullcontext) == 12
    assert products(GatheredGradients) == 7


@pytest.mark.usefixtures("seed")
@pytest.mark.parametrize(
    "build",
    [
        partial(LuongDecoder, attention=BahdanauAttention, layers=2),
        partial(LuongDecoder, attention=MultiHeadAttention, cell="gru"),
        partial(BahdanauDecoder, attention=ConcatAttention, cell="lstm", input_feeding=True),
    ],
)
def test_a_decoder_in_a_loop_has_the_gradients_of_its_steps(build: Callable[..., Decoder]) -> None:
    decoder = build(5, 6, hidden_size=8).double()
    values = torch.randn(3, 4, 6, dtype=torch.double, requires_grad=True)
    mask = torch.arange(4) < torch.tensor([4, 2, 3])[:, None]
    embedded = torch.randn(3, 7, 5, dtype=torch.double, requires_grad=True)
    parts, layers, size = decoder.state_shape
    recurrent = tuple(torch.randn(layers, 3, size, dtype=torch.double, requires_grad=True) for _ in range(parts))
    wanted = [*decoder.parameters(), values, embedded, *recurrent]

    def whole() -> Tensor:
        outputs, _, state = decoder(embedded, decoder.prepare_memory(values, mask), decoder.initial_state(recurrent))
        return outputs.square().sum() + state.recurrent[0].sum()

    def by_steps() -> Tensor:
        memory, state, total = decoder.prepare_memory(values, mask), decoder.initial_state(recurrent), torch.zeros(())
        for token in embedded.unbind(1):
            output, _, state = decoder.step(token, memory, state)
            total = total + output.square().sum()
        return total + state.recurrent[0].sum()

    for ours, theirs in zip(torch.autograd.grad(whole(), wanted), torch.autograd.grad(by_steps(), wanted), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.usefixtures("seed")
def test_in_mixed_precision_the_gradients_are_near_those_in_float32() -> None:
    layer, inputs = Linear(32, 32), torch.randn(4, 32)

    def gradient(mixed: bool) -> Tensor:
        layer.zero_grad()
        state = inputs
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed), GatheredGradients():
            for _ in range(3):
                state = layer(state).tanh()
        state.float().square().sum().backward()
        assert layer.weight.grad is not None
        assert layer.weight.grad.dtype == torch.float32
        return layer.weight.grad

    whole = gradient(mixed=False).clone()
    assert (gradient(mixed=True) - whole).norm() < 0.05 * whole.norm()


def test_without_gradients_nothing_is_kept() -> None:
    layer = Linear(4, 4)
    with torch.no_grad(), GatheredGradients():
        assert layer(torch.zeros(1, 4)).grad_fn is None
