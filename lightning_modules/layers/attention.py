"""Attention mechanisms, one class per score, behind one interface."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from datamodules.errors import UserError
from lightning_modules.kernels.additive_score import additive_score
from lightning_modules.kernels.linear import Linear, linear, matmul
from lightning_modules.layers.checks import check_sizes


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
        return scores.masked_fill(~mask[:, None, None, :], -torch.inf).softmax(dim=-1)

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


class BahdanauAttention(Attention):
    """Additive attention, ``v . tanh(W query + U memory)`` (Bahdanau et al. 2015, appendix A.1.2).

    Args:
        query_size: Width of the query; the decoder gives it.
        memory_size: Width of the memory; the decoder gives it.
        attention_size: Width of the hidden layer; the query's width if not given.
        temperature: What scores are divided by before the softmax.

    Raises:
        UserError: The attention size is below 1.
    """

    def __init__(
        self, query_size: int, memory_size: int, attention_size: int | None = None, temperature: float = 1.0
    ) -> None:
        super().__init__(query_size, memory_size, temperature)
        check_sizes(self, attention_size=attention_size)
        size = attention_size or query_size
        self.query_projection = Linear(query_size, size, bias=False)
        self.key_projection = Linear(memory_size, size, bias=True)
        self.energy = Linear(size, 1, bias=False)

    def project(self, memory: Tensor) -> Tensor:
        """``U memory``, ``(b, s, attention_size)``."""
        return self.key_projection(memory)

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """The additive score; see :meth:`Attention.score`."""
        return additive_score(self.query_projection(query), keys, self.energy.weight)


class ConcatAttention(Attention):
    """Luong's concat score, ``v . tanh(W [query; memory])`` (Luong et al. 2015, equation 8).

    One matrix over both, as in the paper; its two halves are applied apart, so that the memory's half is made once.

    Args:
        query_size: Width of the query; the decoder gives it.
        memory_size: Width of the memory; the decoder gives it.
        temperature: What scores are divided by before the softmax.
    """

    def __init__(self, query_size: int, memory_size: int, temperature: float = 1.0) -> None:
        super().__init__(query_size, memory_size, temperature)
        self.projection = Linear(query_size + memory_size, query_size, bias=False)
        self.energy = Linear(query_size, 1, bias=False)

    def project(self, memory: Tensor) -> Tensor:
        """The memory's half of ``W [query; memory]``, ``(b, s, q)``."""
        return linear(memory, self.projection.weight[:, self.query_size :])

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """The concat score; see :meth:`Attention.score`."""
        projected = linear(query, self.projection.weight[:, : self.query_size])
        return additive_score(projected, keys, self.energy.weight)


class DotAttention(Attention):
    """Luong's dot score, ``query . memory`` (Luong et al. 2015, equation 8).

    Args:
        query_size: Width of the query; the decoder gives it.
        memory_size: Width of the memory; the decoder gives it.
        temperature: What scores are divided by before the softmax.

    Raises:
        UserError: The two widths differ.
    """

    def __init__(self, query_size: int, memory_size: int, temperature: float = 1.0) -> None:
        super().__init__(query_size, memory_size, temperature)
        if query_size != memory_size:
            raise UserError(
                f"{type(self).__name__} needs a query as wide as the memory, but the decoder's hidden_size is "
                f"{query_size} and the encoder's width, directions together, {memory_size}: make them equal, or take "
                "GeneralAttention"
            )

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """The dot product; see :meth:`Attention.score`."""
        return matmul(query, keys.transpose(1, 2))[:, None]


class ScaledDotAttention(DotAttention):
    """The dot score over the square root of the width (Vaswani et al. 2017, equation 1).

    Args:
        query_size: Width of the query; the decoder gives it.
        memory_size: Width of the memory; the decoder gives it.
        temperature: What scores are divided by before the softmax, beside the square root.

    Raises:
        UserError: The two widths differ.
    """

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """The scaled dot product; see :meth:`Attention.score`."""
        return super().score(query / math.sqrt(self.query_size), keys)


class GeneralAttention(Attention):
    """Luong's general score, ``query . W memory`` (Luong et al. 2015, equation 8).

    Args:
        query_size: Width of the query; the decoder gives it.
        memory_size: Width of the memory; the decoder gives it.
        temperature: What scores are divided by before the softmax.
    """

    def __init__(self, query_size: int, memory_size: int, temperature: float = 1.0) -> None:
        super().__init__(query_size, memory_size, temperature)
        self.key_projection = Linear(memory_size, query_size, bias=False)

    def project(self, memory: Tensor) -> Tensor:
        """``W memory``, ``(b, s, q)``."""
        return self.key_projection(memory)

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """The bilinear score; see :meth:`Attention.score`."""
        return matmul(query, keys.transpose(1, 2))[:, None]


class MultiHeadAttention(Attention):
    """Several scaled dot attentions side by side on projections of query and memory (Vaswani et al. 2017, 3.2.2).

    ``head_i = softmax(W_q^i query . W_k^i memory / sqrt(d)) W_v^i memory``, and the context is ``W_o`` of all heads.

    Args:
        query_size: Width of the query; the decoder gives it.
        memory_size: Width of the memory; the decoder gives it.
        heads: Number of heads.
        attention_size: Width of all heads together; the query's width if not given.
        temperature: What scores are divided by before the softmax, beside the square root.

    Raises:
        UserError: The heads do not divide the width, or it is below 1.
    """

    def __init__(
        self,
        query_size: int,
        memory_size: int,
        heads: int = 4,
        attention_size: int | None = None,
        temperature: float = 1.0,
    ) -> None:
        super().__init__(query_size, memory_size, temperature)
        check_sizes(self, attention_size=attention_size)
        size = attention_size or query_size
        if heads < 1 or size % heads:
            raise UserError(
                f"MultiHeadAttention has {heads} heads, which do not divide its width of {size}: change heads, or "
                "attention_size (the decoder's hidden_size, if it is not given)"
            )
        self.heads = heads
        self.size = size
        self.query_projection = Linear(query_size, size, bias=False)
        self.key_projection = Linear(memory_size, size, bias=False)
        self.value_projection = Linear(memory_size, size, bias=False)
        self.output_projection = Linear(size, memory_size, bias=False)

    def project(self, memory: Tensor) -> Tensor:
        """Keys and values side by side, ``(b, s, 2 * size)``."""
        return torch.cat([self.key_projection(memory), self.value_projection(memory)], dim=-1)

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """The scaled dot product of each head; see :meth:`Attention.score`."""
        queries = self._split(self.query_projection(query)) / math.sqrt(self.size // self.heads)
        return matmul(queries, self._split(keys[..., : self.size]).transpose(2, 3))

    def context(self, weights: Tensor, keys: Tensor, memory: Tensor) -> Tensor:
        """The heads' contexts, joined and projected; see :meth:`Attention.context`."""
        contexts = matmul(weights, self._split(keys[..., self.size :]))
        return self.output_projection(contexts.transpose(1, 2).flatten(2))

    def _split(self, joined: Tensor) -> Tensor:
        """``(b, n, heads * d)`` to ``(b, heads, n, d)``."""
        return joined.unflatten(2, (self.heads, -1)).transpose(1, 2)


class NoAttention(Attention):
    """No attention at all: the source reaches the decoder through its initial state alone (Sutskever et al. 2014).

    The context has width 0 and the weights have no head, so that a decoder needs no special case.

    Args:
        query_size: Width of the query; the decoder gives it.
        memory_size: Width of the memory; the decoder gives it.
    """

    heads = 0

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__(query_size, memory_size)
        self.context_size = 0

    def project(self, memory: Tensor) -> Tensor:
        """Keys of width 0."""
        return memory[:, :, :0]

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """No head; see :meth:`Attention.score`."""
        return query.new_zeros(query.shape[0], 0, query.shape[1], keys.shape[1])

    def context(self, weights: Tensor, keys: Tensor, memory: Tensor) -> Tensor:
        """A context of width 0; see :meth:`Attention.context`."""
        return memory.new_zeros(weights.shape[0], weights.shape[2], 0)
