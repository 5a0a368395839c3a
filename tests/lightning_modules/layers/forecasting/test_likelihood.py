"""Likelihoods: losses and scores against their definitions, and intervals that hold what they promise."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Normal

from datamodules.errors import UserError
from lightning_modules.layers.forecasting.likelihood import (
    AbsoluteError,
    Gaussian,
    Likelihood,
    Quantiles,
    SquaredError,
)

ALL = [SquaredError(), AbsoluteError(), Gaussian(), Quantiles()]


@pytest.mark.parametrize("likelihood", ALL, ids=lambda each: type(each).__name__)
def test_what_is_added_to_a_number_is_added_to_its_location_alone(likelihood: Likelihood, seed: int) -> None:
    parameters, gold = torch.randn(50, likelihood.size, dtype=torch.float64), torch.randn(50, dtype=torch.float64)
    moved = parameters.clone()
    moved[:, 0] += 3.0
    for one, other in (
        (likelihood.loss(parameters, gold), likelihood.loss(moved, gold + 3.0)),
        (likelihood.crps(parameters, gold), likelihood.crps(moved, gold + 3.0)),
        (likelihood.location(parameters) + 3.0, likelihood.location(moved)),
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_the_gaussian_is_that_of_torch_and_its_crps_that_of_the_integral(seed: int) -> None:
    parameters, gold = torch.randn(20, 2, dtype=torch.float64), torch.randn(20, dtype=torch.float64)
    normal = Normal(parameters[:, 0], Gaussian().deviation(parameters))
    torch.testing.assert_close(Gaussian().loss(parameters, gold), -normal.log_prob(gold))
    grid = torch.linspace(-30, 30, 60_001, dtype=torch.float64)
    steps = (normal.cdf(grid[:, None]) - (grid[:, None] >= gold).double()).square()
    torch.testing.assert_close(Gaussian().crps(parameters, gold), steps.sum(dim=0) * 0.001, rtol=0, atol=2e-3)
    lower, upper = Gaussian().interval(parameters, 0.8)
    torch.testing.assert_close(normal.cdf(upper) - normal.cdf(lower), torch.full_like(gold, 0.8))


def test_quantiles_never_cross_and_their_loss_is_least_at_the_truth(seed: int) -> None:
    likelihood = Quantiles([0.1, 0.5, 0.6, 0.9])
    parameters = 5.0 * torch.randn(200, 4, dtype=torch.float64)
    quantiles = likelihood.quantiles(parameters)
    assert (quantiles.diff(dim=-1) > 0).all()
    assert torch.equal(quantiles[:, 1], likelihood.location(parameters))
    gold = torch.randn(200, dtype=torch.float64)
    expected = torch.zeros(200, dtype=torch.float64)
    for level, quantile in zip(likelihood.levels, quantiles.T, strict=True):
        expected += torch.where(gold >= quantile, level * (gold - quantile), (1 - level) * (quantile - gold)) / 4
    torch.testing.assert_close(likelihood.loss(parameters, gold), expected)


def test_quantiles_learn_those_of_what_they_see(seed: int) -> None:
    likelihood = Quantiles()
    gold = torch.randn(1000, dtype=torch.float64).exp()
    parameters = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([parameters], lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        likelihood.loss(parameters.expand(1000, -1), gold).mean().backward()
        optimizer.step()
    learnt = likelihood.quantiles(parameters.detach())
    shares = (gold[:, None] <= learnt).double().mean(dim=0)
    torch.testing.assert_close(shares, torch.tensor(likelihood.levels, dtype=torch.float64), rtol=0, atol=0.03)
    lower, upper = likelihood.interval(parameters.detach(), 0.9)
    assert ((lower <= gold) & (gold <= upper)).double().mean().item() == pytest.approx(0.9, abs=0.04)


def test_the_crps_of_many_quantiles_is_that_of_the_distribution(seed: int) -> None:
    levels = [each / 200 for each in range(1, 200)]
    normal, likelihood = Normal(0.0, 1.0), Quantiles(levels)
    wanted = normal.icdf(torch.tensor(levels, dtype=torch.float64))
    gaps = wanted.diff().expm1().log()  # softplus of it is the gap
    parameters = torch.cat([wanted[99:100], gaps[:99].flip(0), gaps[99:]])
    torch.testing.assert_close(likelihood.quantiles(parameters), wanted)
    gold = torch.linspace(-1.5, 1.5, 7, dtype=torch.float64)
    gaussian = torch.tensor([0.0, 1.0], dtype=torch.float64).expm1().log()[1]
    exact = Gaussian().crps(torch.stack([torch.zeros_like(gold), gaussian.expand(7)], dim=-1), gold)
    torch.testing.assert_close(likelihood.crps(parameters.expand(7, -1), gold), exact, rtol=0, atol=5e-3)


def test_levels_that_cannot_be() -> None:
    with pytest.raises(UserError, match=r"levels of Quantiles are \[0.1, 0.9\]: give rising"):
        Quantiles([0.1, 0.9])
    with pytest.raises(UserError, match=r"ends are the quantiles 0.1 and 0.9: add them"):
        Quantiles().check_level(0.8)
    with pytest.raises(UserError, match=r"interval is 1.5"):
        Gaussian().check_level(1.5)
