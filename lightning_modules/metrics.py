"""Metrics over ids and losses; those over text are made where text is known."""

from __future__ import annotations

import torch
import torch.distributed
from torch import Tensor
from torchmetrics import Metric


class PerTokenLoss:
    """Mean negative log-likelihood per target token, in nats, over all batches and processes.

    The sums are plain numbers of this process, in double precision whatever the device has (Apple's MPS has none) and
    whatever the model's precision is: a torchmetrics state would move to the device, and be rounded with the model.
    Perplexity is the exponential of the mean.
    """

    def __init__(self) -> None:
        self._total = 0.0
        self._tokens = 0

    def update(self, total: Tensor, tokens: Tensor | int) -> None:
        """Adds a batch.

        Args:
            total: Scalar, the summed negative log-likelihood.
            tokens: The number of target tokens, EOS included.
        """
        self._total += float(total)
        self._tokens += int(tokens)

    def compute(self) -> Tensor:
        """The mean, a scalar of float64 on the CPU; every process has to ask for it.

        NaN where no process has seen a token.
        """
        sums = (self._total, self._tokens)
        shares = [sums]
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            shares = [sums] * torch.distributed.get_world_size()
            torch.distributed.all_gather_object(shares, sums)
        total, tokens = (sum(parts) for parts in zip(*shares, strict=True))
        return torch.tensor(total, dtype=torch.float64) / tokens

    def reset(self) -> None:
        """Forgets what was added."""
        self._total, self._tokens = 0.0, 0


class Share(Metric):
    """How many of all are so, of tokens or of hypotheses: whole numbers summed over batches and processes."""

    full_state_update = False
    hits: Tensor
    total: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("hits", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("total", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(self, hits: Tensor | int, total: Tensor | int) -> None:
        """Adds a batch.

        Args:
            hits: How many are so; a scalar, int64, or a number.
            total: How many there are; likewise.
        """
        self.hits += hits
        self.total += total

    def compute(self) -> Tensor:
        """The share, a scalar of float64 on the CPU: not every device has float64."""
        return self.hits.cpu().double() / self.total.cpu()
