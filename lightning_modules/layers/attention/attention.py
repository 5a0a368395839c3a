"""What every attention offers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from datamodules.errors import UserError
from lightning_modules.kernels.linear import matmul


class Attention(nn.Module, ABC):
    """What every attention offers: ``attention(query, keys, memory, mask) -> (context, weights)``.

    Letters: b batch, t target length (1 for a single step), s source length, q query size, m memory size.

    Args:
        query_size: Width of the query; the decoder gives it.
        memory_size: Width of the memory; the decoder gives it.
        temperature: What scores are divided by before the softmax: below 1 sharpens the weights, above 1 evens them
            out.

    Attributes:
        context_size: Width of the context that comes out.
        heads: Number of distributions over the source.
        change: What is made of the weights, with the mask, before they are used; None, as in training, for nothing. See
            :func:`~lightning_modules.layers.attention.altered.reweighted`.

    Raises:
        UserError: The temperature is not above 0.
    """

    heads: int = 1

    def __init__(self, query_size: int, memory_size: int, temperature: float = 1.0) -> None:
        super().__init__()
        if not 0 < temperature < math.inf:
            raise UserError(f"the temperature of {type(self).__name__} is {temperature}: give a number above 0")
        self.query_size = query_size
        self.context_size = memory_size
        self.temperature = temperature
        self.change: Callable[[Tensor, Tensor], Tensor] | None = None

    def project(self, memory: Tensor) -> Tensor:
        """What of the score depends on the memory alone, made once per sentence.

        Args:
            memory: ``(b, s, m)``.

        Returns:
            The keys ``(b, s, key_size)``.
        """
        return memory

    @abstractmethod
    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """How well each position of the memory fits each query.

        Args:
            query: ``(b, t, q)``.
            keys: ``(b, s, key_size)``, from :meth:`project`.

        Returns:
            ``(b, heads, t, s)``, before temperature, mask and softmax.
        """

    def context(self, weights: Tensor, keys: Tensor, memory: Tensor) -> Tensor:
        """The context: the memory, weighted and summed.

        Args:
            weights: ``(b, heads, t, s)``.
            keys: ``(b, s, key_size)``, from :meth:`project`.
            memory: ``(b, s, m)``.

        Returns:
            ``(b, t, context_size)``.
        """
        return matmul(weights.squeeze(1), memory)

    def forward(self, query: Tensor, keys: Tensor, memory: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Attends.

        Args:
            query: ``(b, t, q)``.
            keys: ``(b, s, key_size)``, from :meth:`project`.
            memory: ``(b, s, m)``.
            mask: ``(b, s)``, True where there is a token; at least one in every row.

        Returns:
            The context ``(b, t, m)``, and the weights ``(b, heads, t, s)``: exactly 0 where the mask is False, summing
            to 1 over s.
        """
        weights = self.weights(self.score(query, keys), mask)
        return self.context(weights, keys, memory), weights

    def weights(self, scores: Tensor, mask: Tensor, bias: Tensor | None = None) -> Tensor:
        """Scores as a distribution over the source.

        Args:
            scores: ``(b, heads, t, s)``, from :meth:`score`.
            mask: ``(b, s)``, True where there is a token.
            bias: ``(b, t, s)``, added after the temperature: minus infinity where a query must not attend to; None for
                nothing.

        Returns:
            ``(b, heads, t, s)``.
        """
        if self.temperature != 1.0:
            scores = scores / self.temperature
        if bias is not None:
            scores = scores + bias[:, None].to(scores.dtype)
        weights = scores.masked_fill(~mask[:, None, None, :], -torch.inf).softmax(dim=-1)
        return weights if self.change is None else self.change(weights, mask)

    def loss(self, weights: Tensor, mask: Tensor) -> Tensor | None:
        """What a training adds to its loss for how was attended; nothing unless a subclass says so.

        Args:
            weights: ``(b, heads, t, s)``, of a whole target.
            mask: ``(b, t)``, True where there is a target token.

        Returns:
            A scalar, summed over target tokens; None for nothing.
        """
        return None


AttentionFactory = Callable[[int, int], Attention]
"""Makes an attention of (query size, memory size)."""
