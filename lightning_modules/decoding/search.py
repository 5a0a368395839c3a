"""What every search shares: the model it steps through, its limits, and the sentences that are still open."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

import torch
from torch import Tensor

from datamodules.batch import Padded
from datamodules.errors import UserError
from lightning_modules.decoding.hypothesis import Hypothesis
from lightning_modules.layers.state import DecoderState, Memory


class Steppable(Protocol):
    """What a search needs of a model."""

    def encode(self, source: Padded) -> tuple[Memory, DecoderState]:
        """Encodes a batch, once."""

    def step(self, tokens: Tensor, memory: Memory, state: DecoderState) -> tuple[Tensor, Tensor, DecoderState]:
        """Tokens ``(batch,)`` to log-probabilities ``(batch, vocabulary)``, attention weights, and the next state."""


class Search(ABC):
    """Finds hypotheses for a batch of sources, stepping through a model.

    A sentence that is finished leaves the batch. At a sentence's maximum length only EOS may follow, so that every
    hypothesis ends with EOS and its score counts it.

    Args:
        max_length: Most tokens of a hypothesis, EOS not counted.
        max_ratio: Also at most this many times the source's length, plus 10; None for no such limit.
        min_length: Fewest tokens of a hypothesis, EOS not counted.

    Raises:
        UserError: A length is negative, or the minimum above the maximum.
    """

    def __init__(self, max_length: int = 100, max_ratio: float | None = 2.0, min_length: int = 0) -> None:
        if max_length < 1:
            raise UserError(f"max_length is {max_length}: give at least 1")
        if not 0 <= min_length <= max_length:
            raise UserError(f"min_length is {min_length}: give 0 to max_length, which is {max_length}")
        if max_ratio is not None and max_ratio <= 0:
            raise UserError(f"max_ratio is {max_ratio}: give more than 0, or null for no limit")
        self.max_length = max_length
        self.max_ratio = max_ratio
        self.min_length = min_length

    @abstractmethod
    def __call__(self, model: Steppable, source: Padded, with_attention: bool = False) -> list[list[Hypothesis]]:
        """Searches.

        Args:
            model: Encodes and steps; in evaluation mode, without gradients.
            source: The sources, closed by EOS; ``(batch, source_len)``.
            with_attention: Also return what each hypothesis attended to.

        Returns:
            For each source its hypotheses, best first.
        """

    def _limits(self, source: Padded) -> Tensor:
        """``(batch,)``: the most tokens of each sentence's hypotheses."""
        if self.max_ratio is None:
            return torch.full_like(source.lengths, self.max_length)
        return (source.lengths * self.max_ratio + 10).long().clamp(min=self.min_length, max=self.max_length)


def permit(log_probabilities: Tensor, length: int, limits: Tensor, min_length: int, eos: int) -> Tensor:
    """Log-probabilities with what the lengths forbid set to minus infinity.

    Args:
        log_probabilities: ``(rows, vocabulary)``, of the token after ``length`` others.
        length: Tokens so far.
        limits: ``(rows,)``, the most tokens: at the limit only EOS may follow.
        min_length: Fewest tokens: before it EOS may not follow.
        eos: The id of EOS.
    """
    if length < min_length:
        log_probabilities = log_probabilities.clone()
        log_probabilities[:, eos] = -torch.inf
    full = limits <= length
    if full.any():
        closing = torch.full_like(log_probabilities, -torch.inf)
        closing[:, eos] = log_probabilities[:, eos]
        log_probabilities = torch.where(full[:, None], closing, log_probabilities)
    return log_probabilities


def head_mean(weights: Tensor) -> Tensor | None:
    """``(rows, heads, source_len)`` averaged over heads; None where there is no head."""
    return weights.mean(dim=1) if weights.shape[1] else None


def crop(attention: Tensor, source_length: int) -> Tensor:
    """The rows of one hypothesis's attention without the batch's padding, on the CPU."""
    return attention[:, :source_length].cpu()
