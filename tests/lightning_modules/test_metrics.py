"""Metrics over ids and losses."""

import pytest
import torch

from lightning_modules.metrics import PerTokenLoss, TokenAccuracy


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


def test_accuracy_counts_tokens_not_batches() -> None:
    accuracy = TokenAccuracy()
    accuracy.update(torch.tensor(2), torch.tensor(2))
    accuracy.update(torch.tensor(1), torch.tensor(10))
    assert accuracy.compute().item() == 3 / 12
    accuracy.update(torch.tensor(2**40 + 1), torch.tensor(2**41))  # more than float32 can count
    assert accuracy.hits.item() == 2**40 + 4
