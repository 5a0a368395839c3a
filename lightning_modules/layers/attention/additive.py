"""Attention by a small network of query and memory: additive scores."""

from __future__ import annotations

from torch import Tensor

from lightning_modules.kernels.additive_score import additive_score
from lightning_modules.kernels.linear import Linear, linear
from lightning_modules.layers.attention.attention import Attention
from lightning_modules.layers.checks import check_sizes


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
