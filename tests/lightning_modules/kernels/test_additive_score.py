"""The score of additive attention, whose gradient is written out, against the plain formula."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lightning_modules.kernels import additive_score as energy_module
from lightning_modules.kernels.additive_score import additive_score


def plain_energy(queries: Tensor, keys: Tensor, weight: Tensor) -> Tensor:
    return ((queries[:, :, None] + keys[:, None]).tanh() @ weight[0])[:, None]


def leaf(*shape: int, dtype: torch.dtype = torch.float64, scale: float = 1.0) -> Tensor:
    return (scale * torch.randn(*shape, dtype=dtype)).requires_grad_()


@pytest.mark.usefixtures("seed")
@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("values", [1, 2 * 3 * 4 * 6, 2**20])
def test_additive_energy(steps: int, values: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence at a time, a part of them, and all at once."""
    monkeypatch.setattr(energy_module, "PART_VALUES", values)
    inputs = leaf(5, steps, 6), leaf(5, 4, 6), leaf(1, 6)
    energy, expected = additive_score(*inputs), plain_energy(*inputs)
    torch.testing.assert_close(energy, expected)
    gradient = torch.randn(5, 1, steps, 4, dtype=torch.float64)
    found, wanted = (torch.autograd.grad(each, inputs, gradient) for each in (energy, expected))
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("seed")
@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
def test_additive_energy_in_float32(scale: float) -> None:
    """Small and large sums of query and key: the error is that of a float32 in the range of the tanh."""
    inputs = leaf(2, 3, 64, dtype=torch.float32, scale=scale), leaf(2, 5, 64, dtype=torch.float32), leaf(1, 64)
    energy = additive_score(inputs[0], inputs[1], inputs[2].float())
    expected = plain_energy(inputs[0].double(), inputs[1].double(), inputs[2])
    torch.testing.assert_close(energy.double(), expected, rtol=0.0, atol=64 * 4e-7)


@pytest.mark.usefixtures("seed")
def test_in_mixed_precision_the_energy_has_the_lower_one() -> None:
    inputs = [leaf(2, 3, 8, dtype=torch.float32), leaf(2, 5, 8, dtype=torch.float32), leaf(1, 8, dtype=torch.float32)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        energy = additive_score(*inputs)
    assert energy.dtype == torch.bfloat16
    energy.sum().backward()
    assert all(each.grad is not None and each.grad.dtype == torch.float32 for each in inputs)
