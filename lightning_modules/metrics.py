"""Metrics over ids and losses; those over text are made where text is known."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric


class PerTokenLoss(Metric):
    """Mean negative log-likelihood per target token, in nats: sums in float64 over batches and processes, then divides.

    Perplexity is its exponential.
    """

    full_state_update = False
    total: Tensor
    tokens: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("tokens", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(self, total: Tensor, tokens: Tensor) -> None:
        """Adds a batch.

        Args:
            total: Scalar, the summed negative log-likelihood.
            tokens: Scalar, the number of target tokens, EOS included.
        """
        self.total += total.double()
        self.tokens += tokens

    def compute(self) -> Tensor:
        """The mean, a scalar of float64."""
        return self.total / self.tokens


class TokenAccuracy(Metric):
    """Share of target tokens that were predicted right: whole numbers summed over batches and processes."""

    full_state_update = False
    hits: Tensor
    tokens: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("hits", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("tokens", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(self, hits: Tensor, tokens: Tensor) -> None:
        """Adds a batch.

        Args:
            hits: Scalar, int64, the number of tokens that were predicted right.
            tokens: Scalar, int64, the number of target tokens, EOS included.
        """
        self.hits += hits
        self.tokens += tokens

    def compute(self) -> Tensor:
        """The share, a scalar of float64."""
        return self.hits.double() / self.tokens
