"""Products in int8 and bfloat16: their formula, and that a row does not depend on the others of its batch."""

from __future__ import annotations

import time

import pytest
import torch
from torch import Tensor

from lightning_modules.kernels import int8, int8_sums, packed_weights
from lightning_modules.kernels.bfloat16 import bfloat16_gain
from lightning_modules.kernels.int8 import Int8Weight, quantised
from lightning_modules.kernels.int8_sums import (
    GREATEST,
    LIBRARIES,
    Int8Sums,
    OnednnSums,
    fastest,
    greatest_of_inputs,
    libraries,
)
from lightning_modules.kernels.linear import joint_linear, linear
from lightning_modules.kernels.packed_weights import PackedWeights, Precision, gain, is_available, why_not
from lightning_modules.kernels.rows import filled

ROWS = (1, 5, 64, 65, 300)

INT8_ERROR = 0.015 * (GREATEST / (greatest_of_inputs() or GREATEST))
"""Of a product: the coarser an input's numbers are, which processors without VNNI want of seven bits, the more."""


def draw(rows: int, columns: int = 512) -> Tensor:
    return torch.randn(rows, columns) * torch.rand(rows, 1).exp()


def by_whole_numbers(inputs: Tensor, weight: Tensor, greatest: int) -> Tensor:
    """The formula, in whole numbers and double precision."""
    (p, s), (q, t) = quantised(inputs, greatest), quantised(weight)
    return (p.long() @ q.long().t()).double() * s.double() * t.double().t()


def multiply_by(library: type[Int8Sums], monkeypatch: pytest.MonkeyPatch) -> None:
    """Has products made by one library, whatever a timing says."""
    if library not in libraries():
        pytest.skip(f"this torch has no {library.__name__} here")
    monkeypatch.setattr(int8, "fastest", lambda _: library)


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("greatest", [GREATEST, 63])
@pytest.mark.parametrize("library", LIBRARIES)
def test_int8_is_the_formula(
    rows: int,
    with_bias: bool,
    greatest: int,
    library: type[Int8Sums],
    seed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    multiply_by(library, monkeypatch)
    if greatest > greatest_of_inputs():
        pytest.skip(f"this processor adds up products of at most {greatest_of_inputs()}")
    inputs, weight, bias = draw(rows), draw(300), torch.randn(300)
    found = Int8Weight(weight, greatest).product(inputs, bias if with_bias else None)
    expected = by_whole_numbers(inputs, weight, greatest) + bias.double() * with_bias
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-4)


def test_int8_of_a_row_does_not_depend_on_its_batch_nor_on_the_library(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs, weight = draw(300), Int8Weight(draw(700))
    whole = weight.product(inputs, None)
    for library in [None, *libraries()]:  # first those that a timing finds, for few rows and for many
        if library is not None:
            multiply_by(library, monkeypatch)
        for rows in ([7], [3, 299], list(range(40, 110)), list(range(300))):
            assert torch.equal(weight.product(inputs[rows], None), whole[rows])


def test_a_library_that_is_slower_or_adds_up_wrongly_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(OnednnSums):
        def of(self, inputs: Tensor) -> Tensor:
            time.sleep(0.002)
            return super().of(inputs)

    class Wrong(OnednnSums):
        def of(self, inputs: Tensor) -> Tensor:
            return super().of(inputs) + 1

    if OnednnSums not in libraries():
        pytest.skip("this torch has no OnednnSums here")
    for there, taken in (((Slow, OnednnSums), OnednnSums), ((OnednnSums, Slow), OnednnSums)):
        monkeypatch.setattr(int8_sums, "libraries", lambda there=there: there)
        fastest.cache_clear()
        assert fastest(True) is fastest(False) is taken
    monkeypatch.setattr(int8_sums, "libraries", lambda: (OnednnSums, Wrong))
    greatest_of_inputs.cache_clear()
    try:
        assert greatest_of_inputs() == 0
        assert not is_available("int8")
    finally:
        fastest.cache_clear()
        greatest_of_inputs.cache_clear()


def test_zeros_stay_zeros(seed: int) -> None:
    inputs, weight = draw(3), draw(400)
    inputs[1], weight[7] = 0, 0
    found = Int8Weight(weight).product(inputs, None)
    assert not found[1].any()
    assert not found[:, 7].any()
    assert found[0].any()


def skip_unless_available(precision: Precision) -> None:
    if not is_available(precision):
        pytest.skip(f"this processor makes no products in {precision}")


@pytest.mark.parametrize(("precision", "most"), [("float32", 1e-6), ("bfloat16", 0.005), ("int8", INT8_ERROR)])
def test_layers_multiply_so_within_it_and_plainly_outside(precision: Precision, most: float, seed: int) -> None:
    skip_unless_available(precision)
    inputs, other, weight, second, bias = draw(20), draw(20, 256), draw(600), draw(600, 256), torch.randn(600)
    plain = (inputs.double() @ weight.double().t() + bias).float()
    joint = plain + (other.double() @ second.double().t()).float()
    with torch.no_grad():
        with PackedWeights(precision):
            found = linear(inputs[:, None], weight, bias)[:, 0]
            together = joint_linear((inputs, other), (weight, second), bias)
            small = linear(inputs, weight[:10])
        outside = linear(inputs, weight, bias)
    assert (outside - plain).norm() < 1e-6 * plain.norm()
    for one, exact in ((found, plain), (together, joint)):
        assert one.dtype == torch.float32
        error = float((one - exact).norm() / exact.norm())
        assert error < most
        assert precision == "float32" or error > most / 10, "it is rounded"
    few = inputs.double() @ weight[:10].double().t()
    assert (small - few).norm() < 1e-6 * few.norm(), "small ones are float32"


def test_the_outermost_decides(seed: int) -> None:
    inputs, weight = draw(20), draw(600)
    with torch.no_grad(), PackedWeights("int8"), PackedWeights():
        assert torch.equal(linear(inputs, weight), Int8Weight(weight).product(inputs, None))


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_what_is_no_float32_is_multiplied_plainly(precision: Precision, seed: int) -> None:
    inputs, weight = draw(20).double(), draw(600).double()
    with torch.no_grad(), PackedWeights(precision):
        torch.testing.assert_close(linear(inputs, weight), inputs @ weight.t())


def test_few_numbers_of_rows_occur() -> None:
    counts = {len(filled(torch.ones(rows, 3))) for rows in range(1, 641)}
    assert len(counts) == 8 + 6 + 3
    rows = filled(torch.ones(65, 3))
    assert rows[:65].all()
    assert not rows[65:].any()


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
def test_it_is_timed_and_draws_nothing_of_what_a_training_draws(precision: Precision, seed: int) -> None:
    skip_unless_available(precision)
    before = torch.get_rng_state()
    assert 0 < gain(precision) < 1000
    assert bfloat16_gain() > 0
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("times", "told"), [(0.5, "products in bfloat16 take 2.0 times the time"), (1.5, None)])
def test_it_is_told_why_float32_is_better(times: float, told: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_weights, "gain", lambda _: times)
    monkeypatch.setattr(packed_weights, "has_packed_products", lambda: True)
    assert why_not("float32") is None
    assert (why_not("bfloat16") or "None").startswith(told or "None")
