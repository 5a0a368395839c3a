"""Networks that predict all steps at once, against the same computed another way, and what must not matter to them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from datamodules.errors import UserError
from lightning_modules.layers.forecasting.dlinear import DLinear
from lightning_modules.layers.forecasting.naive import LastValue, SeasonalValue
from lightning_modules.layers.forecasting.network import DirectNetwork
from lightning_modules.layers.forecasting.offset import LastOffset, MeanOffset, NoOffset
from lightning_modules.layers.forecasting.segrnn import SegRNN
from lightning_modules.layers.initialisation import initialise


def past_of(batch: int, window: int, columns: int, share: float = 0.3) -> tuple[Tensor, Tensor]:
    """Random values of which a share is missing, and 0."""
    known = torch.rand(batch, window, columns) >= share
    return torch.randn(batch, window, columns, dtype=torch.float64) * known, known


def made(network: DirectNetwork, seed: int) -> DirectNetwork:
    initialise(network, seed)
    return network.double().eval()


def test_the_last_value_is_the_last_that_is_known(seed: int) -> None:
    past, known = past_of(5, 7, 3, share=0.6)
    predicted = LastValue(7, 4, 3, 2).double()(past, known)
    assert predicted.shape == (5, 4, 3, 2)
    for row in range(5):
        for column in range(3):
            there = known[row, :, column].nonzero().flatten().tolist()
            last = past[row, there[-1], column] if there else torch.tensor(0.0)
            assert (predicted[row, :, column, 0] == last).all()


def test_the_seasonal_value_goes_back_by_whole_periods(seed: int) -> None:
    past, known = past_of(4, 11, 2, share=0.5)
    predicted = SeasonalValue(11, 7, 2, 2, period=3).double()(past, known)[..., 0]
    for row in range(4):
        for column in range(2):
            of_column, there = past[row, :, column], known[row, :, column]
            last = next((of_column[step] for step in reversed(range(11)) if there[step]), torch.tensor(0.0))
            for step in range(7):
                before = [11 + step % 3 - 3 * periods for periods in range(1, 5)]
                values = (of_column[at] for at in before if at >= 0 and there[at])
                assert predicted[row, step, column] == next(values, last)


def test_dlinear_is_a_moving_average_and_two_maps(seed: int) -> None:
    network = made(DLinear(10, 4, 2, 1, kernel_size=5), seed)
    past, known = past_of(3, 10, 2, share=0.0)
    trend = torch.stack(
        [
            torch.stack([past[:, min(max(step + offset, 0), 9)] for offset in range(-2, 3)]).mean(dim=0)
            for step in range(10)
        ],
        dim=1,
    )
    maps = network.trend.weight, network.seasonal.weight
    expected = torch.einsum("ht,btc->bhc", maps[0], trend) + torch.einsum("ht,btc->bhc", maps[1], past - trend)
    torch.testing.assert_close(network(past, known)[..., 0], expected, rtol=0, atol=1e-12)


def test_segrnn_reads_and_writes_segments_one_by_one(seed: int) -> None:
    network = made(SegRNN(8, 12, 2, 3, segment=4, hidden_size=6), seed)
    past, known = past_of(3, 8, 2)
    cell = torch.nn.GRUCell(6, 6).double()
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    cell.load_state_dict({name: getattr(network.rnn, f"{name}_l0") for name in names})
    predicted = network(past, known)
    assert predicted.shape == (3, 12, 2, 3)
    for row in range(3):
        for column in range(2):
            state = torch.zeros(1, 6, dtype=torch.float64)
            for segment in past[row, :, column].split(4):
                state = cell(network.embedding(segment[None]).relu(), state)
            for number in range(3):
                where = torch.cat([network.position_embedding[number], network.column_embedding[column]])
                written = network.output(cell(where[None], state)).view(4, 3)
                found = predicted[row, 4 * number : 4 * number + 4, column]
                torch.testing.assert_close(found, written, rtol=0, atol=1e-12)


@pytest.mark.parametrize("network", [lambda: SegRNN(8, 4, 3, 2, segment=4, hidden_size=6), lambda: DLinear(8, 4, 3, 2)])
def test_a_column_knows_nothing_of_the_others_nor_a_window_of_its_neighbours(network: object, seed: int) -> None:
    net = made(network(), seed)  # type: ignore[operator]
    past, known = past_of(4, 8, 3)
    other = past.clone()
    other[1:] += 1.0
    other[0, :, 1:] -= 1.0
    torch.testing.assert_close(net(past, known)[0, :, 0], net(other, known)[0, :, 0], rtol=0, atol=1e-12)


def test_offsets(seed: int) -> None:
    past, known = past_of(6, 5, 2, share=0.5)
    known[0] = False
    past = past * known
    means = [[past[row, known[row, :, c], c].mean().nan_to_num() for c in range(2)] for row in range(6)]
    torch.testing.assert_close(MeanOffset().of(past, known)[:, 0], torch.tensor(means, dtype=torch.float64))
    assert torch.equal(LastOffset().of(past, known)[:, 0], LastValue(5, 1, 2, 2).location(past, known)[:, 0])
    assert (LastOffset().of(past, known)[0] == 0).all()
    assert (NoOffset().of(past, known) == 0).all()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: LastValue(8, 4, 2, 1), "LastValue has nothing to learn of a point: set model.init_args.likelihood"),
        (lambda: SeasonalValue(8, 4, 2, 2, period=9), "period of SeasonalValue is 9, but 8 steps are read"),
        (lambda: DLinear(8, 4, 2, 1, kernel_size=4), "kernel_size of DLinear is 4: give an odd number"),
        (lambda: SegRNN(8, 6, 2, 1, segment=4), "segment of SegRNN is 4, but data.init_args.horizon is 6"),
        (lambda: SegRNN(8, 8, 2, 1, segment=4, hidden_size=7), "hidden_size of SegRNN is 7: give an even number"),
    ],
)
def test_settings_that_cannot_be(make: object, told: str) -> None:
    with pytest.raises(UserError, match=told):
        make()  # type: ignore[operator]
