"""Positions by their formulas, and what their kinds promise."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch

from datamodules.errors import UserError
from lightning_modules.layers.transformer.encoder import TransformerEncoder
from lightning_modules.layers.transformer.positions import Positions, RotaryPositions, SinusoidalPositions

START, LENGTH = 3, 5
KINDS = [SinusoidalPositions, RotaryPositions]


@pytest.mark.parametrize("size", [1, 6, 7])
def test_waves_number_by_number(size: int, seed: int) -> None:
    inputs = torch.randn(2, LENGTH, size, dtype=torch.float64)
    found, rotation = SinusoidalPositions(size, 1)(inputs, START)
    assert rotation is None
    for place in range(LENGTH):
        for number in range(size):
            angle = (START + place) / 10_000 ** (number // 2 * 2 / size)
            wave = math.cos(angle) if number % 2 else math.sin(angle)
            torch.testing.assert_close(found[:, place, number], inputs[:, place, number] + wave, rtol=0, atol=1e-12)


def test_turned_pairs_are_complex_numbers_times_a_unit(seed: int) -> None:
    inputs, queries = torch.randn(2, LENGTH, 12), torch.randn(2, 3, LENGTH, 4, dtype=torch.float64)
    unchanged, rotation = RotaryPositions(12, 4)(inputs.double(), START)
    assert torch.equal(unchanged, inputs.double())
    assert rotation is not None
    places = torch.arange(START, START + LENGTH, dtype=torch.float64)
    units = torch.polar(
        torch.ones(LENGTH, 2).double(), places[:, None] * torch.tensor([1.0, 0.01], dtype=torch.float64)
    )
    expected = torch.complex(queries[..., :2], queries[..., 2:]) * units
    torch.testing.assert_close(rotation(queries), torch.cat([expected.real, expected.imag], -1), rtol=0, atol=1e-12)


def test_turned_products_depend_on_the_distance_alone(seed: int) -> None:
    query, key = torch.randn(8, dtype=torch.float64), torch.randn(8, dtype=torch.float64)

    def product(of_query: int, of_key: int) -> float:
        turned = []
        for vector, place in ((query, of_query), (key, of_key)):
            _, rotation = RotaryPositions(8, 8)(vector[None, None], place)
            assert rotation is not None
            turned.append(rotation(vector[None]))
        return float((turned[0] * turned[1]).sum())

    assert product(9, 4) == pytest.approx(product(5, 0), abs=1e-12)
    assert product(9, 4) == pytest.approx(product(105, 100), abs=1e-10)
    assert abs(product(9, 4) - product(4, 9)) > 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_later_positions_go_on_where_earlier_ones_end(kind: type[Positions], seed: int) -> None:
    positions, inputs = kind(8, 4), torch.randn(1, 7, 8, dtype=torch.float64)
    values = torch.randn(7, 4, dtype=torch.float64)
    whole, turned = positions(inputs, 0)
    for place in range(7):
        single, rotation = positions(inputs[:, place : place + 1], place)
        torch.testing.assert_close(single, whole[:, place : place + 1], rtol=0, atol=0)
        if turned is not None:
            torch.testing.assert_close(rotation(values[place]), turned(values)[place : place + 1], rtol=0, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_without_them_the_order_would_not_matter(kind: type[Positions], seed: int) -> None:
    """The same tokens in another order: their memory is another one."""
    encoder = TransformerEncoder(8, hidden_size=8, heads=2, feedforward_size=8, layers=1, positions=kind).double()
    embedded, order = torch.randn(1, 5, 8, dtype=torch.float64), torch.tensor([4, 2, 0, 3, 1])
    lengths = torch.tensor([5])
    assert not torch.allclose(encoder(embedded[:, order], lengths)[0], encoder(embedded, lengths)[0][:, order])


@pytest.mark.parametrize("kind", KINDS)
def test_sixteen_bits_keep_far_positions_apart(kind: type[Positions], seed: int) -> None:
    """Angles are made in 32 bits: in 16, positions 1000 and 1001 would be one."""
    encoder = partial(kind, 8, 8)()
    inputs = torch.zeros(1, 1, 8, dtype=torch.bfloat16)
    found = []
    for place in (1000, 1001):
        added, rotation = encoder(inputs, place)
        found.append(added if rotation is None else rotation(torch.ones(1, 8, dtype=torch.bfloat16)))
        assert found[-1].dtype == torch.bfloat16
    assert (found[0] - found[1]).abs().max() > 0.1


def test_a_head_of_odd_width_cannot_be_turned() -> None:
    with pytest.raises(UserError, match=r"^RotaryPositions turns pairs of numbers, but a head is 5 wide: change heads"):
        TransformerEncoder(8, hidden_size=10, heads=2, positions=RotaryPositions)
