"""Metrics over ids and losses; those over text are made where text is known."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
import torch.distributed
from torch import Tensor


class Scale(NamedTuple):
    """How the values of a metric are read.

    Attributes:
        unit: The label of the axis.
        better: Which of two values is better; None where none is.
    """

    unit: str
    better: Literal["higher", "lower"] | None = None


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
        total, tokens = _over_processes(self._total, self._tokens)
        return torch.tensor(total, dtype=torch.float64) / tokens

    def reset(self) -> None:
        """Forgets what was added."""
        self._total, self._tokens = 0.0, 0


class Share:
    """How many of all are so, of tokens or of hypotheses: whole numbers summed over batches and processes."""

    def __init__(self) -> None:
        self._hits = 0
        self._total = 0

    def update(self, hits: Tensor | int, total: Tensor | int) -> None:
        """Adds a batch.

        Args:
            hits: How many are so; a scalar, int64, or a number.
            total: How many there are; likewise.
        """
        self._hits += int(hits)
        self._total += int(total)

    def compute(self) -> Tensor:
        """The share, a scalar of float64 on the CPU; every process has to ask for it.

        NaN where no process has seen any.
        """
        hits, total = _over_processes(self._hits, self._total)
        return torch.tensor(hits, dtype=torch.float64) / total

    def reset(self) -> None:
        """Forgets what was added."""
        self._hits, self._total = 0, 0


class TokenScores:
    """What an evaluation of a model over tokens counts: its loss, right tokens, and hypotheses that were cut.

    Attributes:
        loss: Under teacher forcing.
        accuracy: Likewise, the share of tokens that the model finds most probable.
        truncated: The share of hypotheses that end at the search's limit of length.
    """

    def __init__(self) -> None:
        self.loss = PerTokenLoss()
        self.accuracy = Share()
        self.truncated = Share()

    def compute(self) -> dict[str, float]:
        """The means by name, and the perplexity; every process has to ask for them."""
        loss = self.loss.compute()
        return {
            "loss": loss.item(),
            "perplexity": loss.exp().item(),
            "accuracy": self.accuracy.compute().item(),
            "truncated": self.truncated.compute().item(),
        }

    def reset(self) -> None:
        """Forgets what was added."""
        for each in (self.loss, self.accuracy, self.truncated):
            each.reset()


def _over_processes(total: float, tokens: int) -> tuple[float, int]:
    """Both summed over all processes."""
    sums = (total, tokens)
    shares = [sums]
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        shares = [sums] * torch.distributed.get_world_size()
        torch.distributed.all_gather_object(shares, sums)
    return sum(share[0] for share in shares), sum(share[1] for share in shares)
