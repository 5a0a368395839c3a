"""Several attentions beside each other."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from datamodules.errors import UserError
from lightning_modules.kernels.linear import Linear, matmul
from lightning_modules.layers.attention.attention import Attention
from lightning_modules.layers.checks import check_sizes


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
