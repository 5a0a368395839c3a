"""Linear layers by oneDNN against the usual product in float64."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.kernels import onednn
from lightning_modules.kernels.linear import Linear, joint_linear, linear
from lightning_modules.kernels.onednn import is_by_amd, is_for_onednn, product, weight_gradient
from lightning_modules.kernels.packed_weights import PackedWeights

ROWS, INPUTS, OUTPUTS = 96, 128, 160
SHAPES = [(ROWS,), (6, 16), (1, ROWS, 1), (2 * ROWS,)]


@pytest.fixture(autouse=True, params=[True, False], ids=["amd", "other"])
def amd(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the processor is said to be AMD's."""
    monkeypatch.setattr(onednn, "is_by_amd", lambda: request.param)
    return bool(request.param)


def by_onednn(run: torch.profiler.profile) -> int:
    """How many products oneDNN made."""
    return sum(event.count for event in run.key_averages() if "linear_pointwise" in event.key)


@pytest.mark.usefixtures("seed")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("bias", [True, False])
def test_outputs_and_gradients(shape: tuple[int, ...], bias: bool, amd: bool) -> None:
    layer = Linear(INPUTS, OUTPUTS, bias=bias)
    exact = nn.Linear(INPUTS, OUTPUTS, bias=bias).double()
    exact.load_state_dict(layer.state_dict())
    inputs = torch.randn(*shape, INPUTS, requires_grad=True)
    wide = inputs.detach().double().requires_grad_()
    towards = torch.randn(*shape, OUTPUTS)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as run:
        outputs = layer(inputs)
        gradients = torch.autograd.grad(outputs, [inputs, *layer.parameters()], towards)
    assert by_onednn(run) == (3 if amd else 0)
    expected = exact(wide)
    wanted = torch.autograd.grad(expected, [wide, *exact.parameters()], towards.double())
    for ours, theirs in zip([outputs, *gradients], [expected, *wanted], strict=True):
        assert ours.is_contiguous()
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-5, atol=1e-4)


@pytest.mark.usefixtures("seed")
@pytest.mark.parametrize("frozen", ["inputs", "weight", "bias"])
def test_no_gradient_is_made_that_nobody_asked_for(frozen: str, amd: bool) -> None:
    given = {
        "inputs": torch.randn(ROWS, INPUTS, requires_grad=True),
        "weight": torch.randn(OUTPUTS, INPUTS, requires_grad=True),
        "bias": torch.randn(OUTPUTS, requires_grad=True),
    }
    given[frozen].requires_grad_(False)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as run:
        linear(**given).sum().backward()
    if amd:
        assert by_onednn(run) == (3 if frozen == "bias" else 2)
    assert {name for name, value in given.items() if value.grad is None} == {frozen}


def _narrow(values: Tensor) -> Tensor:
    return torch.cat([values, values], dim=1)[:, : values.shape[1]]


@pytest.mark.usefixtures("seed")
@pytest.mark.parametrize("rows", [0, 1, 5, 64])
@torch.no_grad()
def test_any_layout_and_any_number_of_rows(rows: int) -> None:
    inputs, weight, bias = torch.randn(rows, 512), torch.randn(2048, 512), torch.randn(2048)
    expected = functional.linear(inputs.double(), weight.double(), bias.double())
    for left in (inputs, inputs.t().contiguous().t(), _narrow(inputs)):
        for right in (weight, weight.t().contiguous().t(), _narrow(weight)):
            found = product(left, right, bias)
            assert found.is_contiguous()
            torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-3)


@pytest.mark.usefixtures("seed")
@torch.no_grad()
def test_packed_weights() -> None:
    """They are packed once, each part for itself, until they change, and give what they give unpacked."""
    weight, bias = nn.Parameter(torch.randn(1024, 768)), torch.randn(1024)
    parts = [weight[:, :256], weight[:, 256:], weight[:, 256:].t(), weight]
    inputs = [torch.randn(rows, 1024) for rows in (5, 64)]

    def outputs() -> list[Tensor]:
        return [linear(each[:, : part.shape[1]], part, bias[: len(part)]) for part in parts for each in inputs]

    expected = outputs()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as run, PackedWeights():
        for _ in range(3):
            for found, plain in zip(outputs(), expected, strict=True):
                torch.testing.assert_close(found, plain, rtol=1e-5, atol=1e-3)
        with PackedWeights():
            outputs()
    packed = [event.count for event in run.key_averages() if "reorder_linear_weight" in event.key]
    assert packed == [len(parts)]
    with PackedWeights():
        before = linear(inputs[0][:, :768], weight)
        weight.mul_(2)
        torch.testing.assert_close(linear(inputs[0][:, :768], weight), 2 * before)


@pytest.mark.usefixtures("seed")
def test_gradients_within_packed_weights() -> None:
    inputs, weight = torch.randn(64, 512), torch.randn(512, 512, requires_grad=True)
    with PackedWeights():
        linear(inputs, weight).sum().backward()
    torch.testing.assert_close(weight.grad, inputs.sum(dim=0).expand_as(weight), rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("seed")
@pytest.mark.parametrize("bias", [True, False])
def test_a_layer_in_parts(bias: bool) -> None:
    """It is the layer over inputs side by side, and within packed weights the parts are laid together once."""
    whole, constant = torch.randn(512, 640), torch.randn(512) if bias else None
    weights = whole.split([256, 384], dim=1)
    inputs = torch.randn(2, 32, 256), torch.randn(2, 32, 384)
    expected = functional.linear(torch.cat(inputs, dim=-1), whole, constant)
    torch.testing.assert_close(joint_linear(inputs, weights, constant), expected, rtol=1e-4, atol=1e-3)
    profile = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU])
    with torch.no_grad(), profile as run, PackedWeights():
        for _ in range(3):
            found = joint_linear(inputs, weights, constant)
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)
    counts = {event.key: event.count for event in run.key_averages()}
    assert counts["mkldnn::_linear_pointwise"] == 3
    assert counts["mkldnn::_reorder_linear_weight"] == 1


def test_who_made_the_processor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    is_by_amd.cache_clear()
    for told, expected in [("vendor_id\t: AuthenticAMD\n", True), ("vendor_id\t: GenuineIntel\n", False)]:
        (tmp_path / "cpuinfo").write_text(told)
        monkeypatch.setattr(onednn, "CPU_INFO", tmp_path / "cpuinfo")
        assert is_by_amd() == expected
        is_by_amd.cache_clear()
    monkeypatch.setattr(onednn, "CPU_INFO", tmp_path / "none")
    monkeypatch.setattr("platform.processor", lambda: "AMD64 Family 25 Model 17 Stepping 1, AuthenticAMD")
    assert is_by_amd()
    is_by_amd.cache_clear()


@pytest.mark.usefixtures("seed")
@pytest.mark.parametrize("rows", [40, 400])
def test_gradient_of_a_weight(rows: int) -> None:
    gradients, inputs = torch.randn(rows, 300), torch.randn(rows, 200)
    found = weight_gradient(gradients, inputs)
    assert found.is_contiguous()
    torch.testing.assert_close(found.double(), gradients.double().t() @ inputs.double(), rtol=1e-5, atol=1e-3)


@pytest.mark.usefixtures("seed")
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions_are_torchs_own(dtype: torch.dtype) -> None:
    inputs, weight = torch.randn(64, 512, dtype=dtype), torch.randn(512, 512, dtype=dtype)
    assert torch.equal(linear(inputs, weight), functional.linear(inputs, weight))


@pytest.mark.usefixtures("seed")
def test_in_mixed_precision() -> None:
    inputs, weight = torch.randn(64, 512), torch.randn(512, 512, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = linear(inputs, weight)
        assert torch.equal(outputs, functional.linear(inputs, weight))
    outputs.float().sum().backward()
    assert weight.grad is not None
    assert weight.grad.dtype == torch.float32


@pytest.mark.usefixtures("seed")
def test_it_can_be_turned_off(amd: bool) -> None:
    inputs, weight = torch.randn(64, 512), torch.randn(512, 512)
    with torch.backends.mkldnn.flags(enabled=False):
        assert torch.equal(linear(inputs, weight), functional.linear(inputs, weight))
        assert not is_for_onednn(inputs, weight)
        with torch.no_grad(), PackedWeights():
            assert torch.equal(linear(inputs, weight), functional.linear(inputs, weight))
    assert is_for_onednn(inputs, weight) == amd
