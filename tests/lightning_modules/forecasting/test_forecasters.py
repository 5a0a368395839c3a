"""Models that forecast: steps by hand, what they must not see, and scores against their definitions."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import partial

import pytest
import torch
from torch import Tensor

from datamodules.batch import Padded, SeriesBatch
from datamodules.errors import UserError
from datamodules.series.made import MadeSeriesDataModule
from lightning_modules.forcing import Constant, ScheduledSampling
from lightning_modules.forcing_controls import NoisyForcing
from lightning_modules.forecasting.direct import DirectForecaster
from lightning_modules.forecasting.encoder_forecaster import EncoderForecaster
from lightning_modules.forecasting.module import ForecastModule
from lightning_modules.forecasting.recurrent import RecurrentForecaster
from lightning_modules.forecasting.scores import ForecastScores
from lightning_modules.layers.decoder import BahdanauDecoder, Decoder, FixedContextDecoder, LuongDecoder
from lightning_modules.layers.encoder import RecurrentEncoder
from lightning_modules.layers.forecasting.likelihood import Gaussian, Quantiles, SquaredError
from lightning_modules.layers.forecasting.offset import LastOffset
from lightning_modules.layers.forecasting.segrnn import SegRNN
from lightning_modules.layers.pooling import AttentionPooling, FinalStatePooling, Pooling

WINDOW, HORIZON = 12, 6


def data_of(seed: int) -> MadeSeriesDataModule:
    return MadeSeriesDataModule(rows=200, missing_share=0.2, series_seed=seed, window=WINDOW, horizon=HORIZON)


def batch_of(seed: int, index: list[int]) -> SeriesBatch:
    batch = data_of(seed).windows("train")[index]
    doubled = {each.name: _double(getattr(batch, each.name)) for each in fields(batch)}
    return SeriesBatch(**doubled)


def _double(value: Tensor | Padded) -> Tensor | Padded:
    if isinstance(value, Padded):
        return Padded(value.values.double(), value.lengths)
    return value.double() if value.is_floating_point() else value


def _single(value: Tensor | Padded) -> Tensor | Padded:
    if isinstance(value, Padded):
        return Padded(value.values.float(), value.lengths)
    return value.float() if value.is_floating_point() else value


def recurrent(seed: int, decoder: type[Decoder] = LuongDecoder) -> RecurrentForecaster:
    torch.manual_seed(seed)
    data = data_of(seed)
    return RecurrentForecaster(
        data.source_feature_size,
        data.target_feature_size,
        data.future_feature_size,
        data.target_length,
        encoder=partial(RecurrentEncoder, hidden_size=4),
        decoder=partial(decoder, hidden_size=6),
        embedding_size=5,
        likelihood=Gaussian(),
        offset=LastOffset(),
    ).double()


def direct(seed: int) -> DirectForecaster:
    torch.manual_seed(seed)
    network = partial(SegRNN, segment=3, hidden_size=8, dropout=0.0)
    return DirectForecaster(2, WINDOW, HORIZON, network, Quantiles(), LastOffset()).double()


def encoded(seed: int, pooling: type[Pooling] = FinalStatePooling, linear_steps: int = 5) -> EncoderForecaster:
    torch.manual_seed(seed)
    data = data_of(seed)
    return EncoderForecaster(
        data.source_feature_size,
        data.target_feature_size,
        data.future_feature_size,
        WINDOW,
        HORIZON,
        encoder=partial(RecurrentEncoder, hidden_size=4),
        pooling=pooling,
        linear_steps=linear_steps,
        likelihood=Gaussian(),
        offset=LastOffset(),
    ).double()


MODELS = [
    recurrent,
    partial(recurrent, decoder=FixedContextDecoder),
    direct,
    encoded,
    partial(encoded, pooling=AttentionPooling, linear_steps=0),
]


@pytest.mark.parametrize("decoder", [LuongDecoder, BahdanauDecoder, FixedContextDecoder])
def test_a_forecast_is_made_step_by_step_of_its_own_locations_and_what_is_known_ahead(
    decoder: type[Decoder], seed: int
) -> None:
    net, batch = recurrent(seed, decoder), batch_of(seed, [0, 5, 9])
    found, _ = net.distribution(batch)
    shifted, offset = net.shifted(batch)
    memory, state = net.encode(shifted.source)
    fed = shifted.source.values[:, -1, :4]
    for step in range(HORIZON):
        output, _, state = net.decoder.step(net.embed(torch.cat([fed, batch.future[:, step]], dim=-1)), memory, state)
        parameters = net.output(output).view(3, 2, 2)
        torch.testing.assert_close(found[:, step, :, 0], parameters[..., 0] + offset[:, 0], rtol=0, atol=1e-12)
        torch.testing.assert_close(found[:, step, :, 1], parameters[..., 1], rtol=0, atol=1e-12)
        fed = torch.cat([parameters[..., 0], torch.zeros(3, 2, dtype=torch.float64)], dim=-1)


def test_with_every_coin_gold_it_is_teacher_forcing(seed: int) -> None:
    net, batch = recurrent(seed), batch_of(seed, [1, 2, 3])
    forced = net.forced(batch, ScheduledSampling(Constant(1.0)), 1.0)[0]
    torch.testing.assert_close(forced, net(batch)[0], rtol=0, atol=1e-12)


def test_noise_takes_the_place_of_what_is_predicted_and_leaves_what_is_known_ahead(seed: int) -> None:
    net, batch = recurrent(seed), batch_of(seed, [0, 5, 9, 14])
    gold = batch.target_input.values
    size = 2 * batch.columns
    assert gold.shape[-1] > size, "something is known ahead"
    fed = net.forced(batch, NoisyForcing(Constant(0.0)), ratio=0.0).fed
    assert torch.equal(fed[..., size:], gold[..., size:])
    assert torch.equal(fed[:, 0], gold[:, 0])
    there = {tuple(row) for row in gold[:, 1:, :size].flatten(0, 1).tolist()}
    found = [tuple(row) for row in fed[:, 1:, :size].flatten(0, 1).tolist()]
    assert set(found) <= there
    assert found != [tuple(row) for row in gold[:, 1:, :size].flatten(0, 1).tolist()]


def test_in_mixed_precision_it_is_fed_its_own_locations(seed: int) -> None:
    net, batch = recurrent(seed), batch_of(seed, [0, 1, 2])
    exact = net.forecast(batch).location
    single = SeriesBatch(**{each.name: _single(getattr(batch, each.name)) for each in fields(batch)})
    with torch.autocast("cpu", torch.bfloat16):
        found = net.float().forecast(single).location
        net.forcing = ScheduledSampling(Constant(0.5))
        loss, _, _ = net.loss(single, ratio=0.5)
    torch.testing.assert_close(found.double(), exact, rtol=0, atol=0.1)
    assert loss.isfinite()


@pytest.mark.parametrize("make", MODELS)
def test_a_forecast_sees_nothing_of_what_came_then(make: partial[ForecastModule], seed: int) -> None:
    net, batch = make(seed), batch_of(seed, [0, 4])
    hidden = replace(batch, target=Padded(torch.full_like(batch.target.values, 1.0), batch.target.lengths))
    assert torch.equal(net.distribution(batch)[0], net.distribution(hidden)[0])


@pytest.mark.parametrize("make", MODELS)
def test_a_window_alone_and_among_others(make: partial[ForecastModule], seed: int) -> None:
    net = make(seed)
    together = net.forecast(batch_of(seed, [0, 4, 8]))
    for row, index in enumerate((0, 4, 8)):
        for one, all_of_them in zip(net.forecast(batch_of(seed, [index])), together, strict=True):
            if one is not None and all_of_them is not None:
                torch.testing.assert_close(one[0], all_of_them[row], rtol=0, atol=1e-12)


@pytest.mark.parametrize("make", MODELS)
def test_after_the_last_value_was_taken_off_a_level_does_not_matter(make: partial[ForecastModule], seed: int) -> None:
    net, batch = make(seed), batch_of(seed, [0, 4])
    higher = batch.shifted(torch.full((2, 1, 2), -7.0, dtype=torch.float64))
    one, other = net.forecast(batch), net.forecast(higher)
    torch.testing.assert_close(one.location + 7.0, other.location, rtol=0, atol=1e-10)
    torch.testing.assert_close(net.loss(batch)[0], net.loss(higher)[0], rtol=1e-10, atol=0)  # type: ignore[operator]


@pytest.mark.parametrize("make", MODELS)
def test_the_loss_is_over_the_numbers_that_are_known(make: partial[ForecastModule], seed: int) -> None:
    net, batch = make(seed), batch_of(seed, list(range(0, 60, 6)))
    loss, *_, count = net.loss(batch)  # type: ignore[operator]
    assert 0 < count == int(batch.gold_known.sum()) < batch.gold.numel()
    if isinstance(net, RecurrentForecaster):
        shifted, _ = net.shifted(batch)
        parameters = net.output.parameters_of(net(shifted)[0]).view(10, HORIZON, 2, 2)
    else:
        parameters, shifted = net.parameters_ahead(net.shifted(batch)[0])[0], net.shifted(batch)[0]
    by_hand = [
        net.likelihood.loss(parameters[where], shifted.gold[where]) for where in map(tuple, batch.gold_known.nonzero())
    ]
    summands = torch.stack(by_hand)  # of either sign: their sum may be much smaller than they are
    torch.testing.assert_close(loss, summands.sum(), rtol=0, atol=1e-12 * float(summands.abs().sum()))


def test_the_linear_part_alone_is_a_matrix_over_the_last_steps_and_what_is_known_ahead(seed: int) -> None:
    net, batch = encoded(seed), batch_of(seed, [0, 4])
    with torch.no_grad():
        net.output.weight.zero_()
    found, weights = net.parameters_ahead(batch)
    assert weights is None
    assert net.linear is not None
    matrix = net.linear.weight.view(HORIZON, 2, 2, -1)
    for row in range(2):
        read = torch.cat([batch.source.values[row, -5:].flatten(), batch.future[row].flatten()])
        for step, column, parameter in ((0, 0, 0), (3, 1, 1), (HORIZON - 1, 0, 1)):
            by_hand = (
                net.output.bias.view(HORIZON, 2, 2)[step, column, parameter] + matrix[step, column, parameter] @ read
            )
            torch.testing.assert_close(found[row, step, column, parameter], by_hand, rtol=0, atol=1e-12)


def test_attention_pooling_has_weights_over_the_steps_that_were_read(seed: int) -> None:
    net, batch = encoded(seed, AttentionPooling), batch_of(seed, [0, 4])
    weights = net.forecast(batch).weights
    assert weights is not None
    assert weights.shape == (2, HORIZON, WINDOW)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, HORIZON, dtype=torch.float64))


@pytest.mark.parametrize("steps", [-1, WINDOW + 1])
def test_a_linear_part_of_steps_that_are_not_read_is_refused(steps: int, seed: int) -> None:
    with pytest.raises(UserError, match=f"linear_steps of EncoderForecaster is {steps}, but 12 steps are read"):
        encoded(seed, linear_steps=steps)


def test_scores_are_means_over_all_known_numbers_whatever_the_batches(seed: int) -> None:
    likelihood = Gaussian()
    scores, halves = (ForecastScores(likelihood, 0.8, 4, [1, 3]) for _ in range(2))
    parameters, gold = torch.randn(9, 4, 3, 2), torch.randn(9, 4, 3)
    known = torch.rand(9, 4, 3) < 0.7
    scores.update(parameters, gold, known)
    for half in (slice(4), slice(4, 9)):
        halves.update(parameters[half], gold[half], known[half])
    found = scores.compute()
    assert found == pytest.approx(halves.compute())
    error = (parameters[..., 0] - gold).double()
    lower, upper = likelihood.interval(parameters, 0.8)
    inside = ((lower <= gold) & (gold <= upper))[known].double()
    assert found["mse"] == pytest.approx(error[known].square().mean().item(), rel=1e-5)
    assert found["mae_step_3"] == pytest.approx(error[:, 2][known[:, 2]].abs().mean().item(), rel=1e-5)
    assert found["coverage"] == pytest.approx(inside.mean().item())
    assert found["crps"] == pytest.approx(likelihood.crps(parameters, gold)[known].mean().item(), rel=1e-5)
    scores.reset()
    scores.update(parameters[:1], gold[:1], torch.ones(1, 4, 3, dtype=torch.bool))
    assert scores.compute()["mse"] == pytest.approx(error[0].square().mean().item(), rel=1e-5)


def test_steps_beyond_the_horizon_and_intervals_that_cannot_be() -> None:
    with pytest.raises(UserError, match=r"steps has 7, but 1 to 6 are predicted"):
        DirectForecaster(2, WINDOW, HORIZON, steps=[1, 7])
    with pytest.raises(UserError, match=r"interval is 0.8, whose ends are the quantiles"):
        DirectForecaster(2, WINDOW, HORIZON, likelihood=Quantiles(), interval=0.8)
    assert "val/coverage" not in DirectForecaster(2, WINDOW, HORIZON, likelihood=SquaredError()).logged_metrics()
