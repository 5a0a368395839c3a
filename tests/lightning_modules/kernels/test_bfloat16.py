"""Products of float32 matrices whose factors are rounded to bfloat16, forward and backward, within the scope alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.kernels import onednn
from lightning_modules.kernels.bfloat16 import Bfloat16Products, rounded_product, rounded_weight_gradient
from lightning_modules.kernels.deferred_gradients import GatheredGradients
from lightning_modules.kernels.linear import linear
from lightning_modules.kernels.projected_loss import projected_cross_entropy

ROWS = (64, 300, 1010)


@pytest.fixture(autouse=True)
def small_ones_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onednn, "LEAST_ROUNDED", 0)


def has_units() -> bool:
    """Whether this processor rounds at all; torch leaves the switch without effect where it does not."""
    inputs = torch.full((64, 64), 1 + 2**-12)
    return not torch.equal(rounded_product(inputs, inputs), inputs @ inputs.t())


def rounded(values: Tensor) -> Tensor:
    """In double precision, what is left of values by rounding."""
    return (values.bfloat16() if has_units() else values).double()


def close(found: Tensor, expected: Tensor, most: float = 1e-5) -> bool:
    return bool((found.double() - expected.double()).norm() <= most * expected.double().norm())


@pytest.mark.parametrize("rows", ROWS)
def test_it_is_the_product_of_rounded_factors(rows: int, seed: int) -> None:
    inputs, weight, bias, gradients = (
        torch.randn(rows, 96),
        torch.randn(200, 96),
        torch.randn(200),
        torch.randn(rows, 200),
    )
    assert close(rounded_product(inputs, weight, bias), rounded(inputs) @ rounded(weight).t() + bias)
    assert close(rounded_weight_gradient(gradients, inputs), rounded(gradients).t() @ rounded(inputs))


@pytest.mark.parametrize("gathered", [False, True])
@pytest.mark.parametrize("rows", ROWS)
def test_layers_round_in_both_passes_within_the_scope(rows: int, gathered: bool, seed: int) -> None:
    inputs, weight, bias = torch.randn(rows, 96), torch.randn(1200, 96), torch.randn(1200)
    direction = torch.randn(rows, 1200)
    for each in (inputs, weight, bias):
        each.requires_grad_()
    with Bfloat16Products():
        if gathered:
            with GatheredGradients():
                outputs = linear(inputs, weight, bias)
        else:
            outputs = linear(inputs, weight, bias)
        found = torch.autograd.grad(outputs, (inputs, weight, bias), direction)
    with torch.no_grad():
        assert close(outputs, rounded(inputs) @ rounded(weight).t() + bias)
        assert close(found[0], rounded(direction) @ rounded(weight))
        assert close(found[1], rounded(direction).t() @ rounded(inputs))
        assert close(found[2], direction.double().sum(dim=0))
        assert torch.equal(linear(inputs, weight, bias), functional.linear(inputs, weight, bias)), "not outside"


@pytest.mark.parametrize("rows", [5, 1010, 2100])
def test_the_loss_rounds_its_products_alone(rows: int, seed: int) -> None:
    hidden, weight, bias = torch.randn(rows, 64), torch.randn(300, 64) / 8, torch.randn(300)
    gold = torch.randint(300, (rows,))

    def loss_and_gradients() -> tuple[Tensor, ...]:
        given = [each.clone().requires_grad_() for each in (hidden, weight, bias)]
        loss, nll = projected_cross_entropy(*given, gold, 0.1)
        return loss.detach(), nll, *torch.autograd.grad(loss, given)

    plain = loss_and_gradients()
    with Bfloat16Products():
        found = loss_and_gradients()
    for one, other in zip(found, plain, strict=True):
        assert one.shape == other.shape
        assert close(one, other, 0.01)
    assert torch.equal(found[0], plain[0]) != has_units()


def test_small_products_and_other_types_are_left_alone(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    inputs, weight = torch.randn(64, 96), torch.randn(200, 96)
    with torch.no_grad(), Bfloat16Products():
        assert close(linear(inputs.double(), weight.double()), inputs.double() @ weight.double().t(), 1e-12)
        monkeypatch.setattr(onednn, "LEAST_ROUNDED", inputs.numel() * len(weight) + 1)
        assert torch.equal(linear(inputs, weight), functional.linear(inputs, weight))
