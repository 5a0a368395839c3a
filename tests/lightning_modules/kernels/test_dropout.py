"""Dropout on the CPU: the share and the scale that torch's own has, from the generator's state alone."""

import pytest
import torch

from lightning_modules.kernels.dropout import Dropout


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5, 0.9])
def test_share_and_scale(p: float) -> None:
    dropped = Dropout(p)(torch.ones(1000, 999))
    kept = dropped != 0
    # five standard deviations of a share of that many values
    assert kept.double().mean().item() == pytest.approx(1 - p, abs=5 * (p * (1 - p) / dropped.numel()) ** 0.5 + 1e-5)
    assert dropped[kept].unique().tolist() == pytest.approx([1 / (1 - p)], rel=1e-3)


def test_values_that_share_a_draw_fall_independently() -> None:
    kept = (Dropout(0.3)(torch.ones(200_000, 4)) != 0).double()
    assert torch.corrcoef(kept.T).sub(torch.eye(4)).abs().max() < 0.01
    assert kept.mean(dim=0).sub(0.7).abs().max() < 0.01


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_gradient_passes_where_values_were_kept(dtype: torch.dtype) -> None:
    values = torch.randn(64, 33, dtype=dtype, requires_grad=True)
    dropped = Dropout(0.5)(values)
    dropped.sum().backward()
    assert dropped.dtype == dtype
    assert values.grad is not None
    assert torch.equal(values.grad * values.detach(), dropped.detach())


def test_same_seed_same_values_and_none_in_evaluation() -> None:
    layer, ones = Dropout(0.4), torch.ones(7, 5)
    first, second = (torch.manual_seed(3) and layer(ones) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(layer.eval()(ones), ones)


@pytest.mark.parametrize(("p", "left"), [(0.0, 1.0), (1.0, 0.0)])
def test_nothing_and_everything(p: float, left: float) -> None:
    assert torch.equal(Dropout(p)(torch.ones(9, 3)), torch.full((9, 3), left))
