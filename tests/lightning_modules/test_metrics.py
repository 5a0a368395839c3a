"""Metrics over ids and losses."""

import pytest
import torch

from lightning_modules.metrics import PerTokenLoss


def test_the_mean_is_per_token_not_per_batch() -> None:
    metric = PerTokenLoss()
    metric.update(torch.tensor(10.0), torch.tensor(2))
    metric.update(torch.tensor(2.0), torch.tensor(10))
    assert metric.compute().item() == pytest.approx(1.0)


def test_many_small_sums_keep_their_digits() -> None:
    """In float32, ten million and one is ten million."""
    metric = PerTokenLoss()
    metric.update(torch.tensor(1e8), torch.tensor(1))
    for _ in range(100):
        metric.update(torch.tensor(1.0), torch.tensor(1))
    assert metric.total.item() == 100000100
    assert metric.compute().dtype == torch.float64
