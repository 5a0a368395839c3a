"""Attention mechanisms, one class per score, behind one interface."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

from datamodules.errors import UserError


class Attention(nn.Module, ABC):
    """What every attention offers: ``attention(query, keys, memory, mask) -> (context, weights)``.

    Letters: b batch, t target length (1 for a single step), s source length, q query size, m memory size.

    Args:
        query_size: Width of the query; the decoder gives it.
        memory_size: Width of the memory; the decoder gives it.

    Attributes:
        context_size: Width of the context that comes out.
    """

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__()
        self.query_size = query_size
        self.context_size = memory_size

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
            ``(b, t, s)``, before the softmax.
        """

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
        scores = self.score(query, keys).masked_fill(~mask[:, None, :], -torch.inf)
        weights = scores.softmax(dim=-1)
        return weights @ memory, weights[:, None]


class BahdanauAttention(Attention):
    """Additive attention, ``v . tanh(W query + U memory)`` (Bahdanau et al. 2015, appendix A.1.2).

    Args:
        query_size: Width of the query; the decoder gives it.
        memory_size: Width of the memory; the decoder gives it.
        attention_size: Width of the hidden layer; the query's width if not given.
    """

    def __init__(self, query_size: int, memory_size: int, attention_size: int | None = None) -> None:
        super().__init__(query_size, memory_size)
        size = attention_size or query_size
        self.query_projection = nn.Linear(query_size, size, bias=False)
        self.key_projection = nn.Linear(memory_size, size, bias=True)
        self.energy = nn.Linear(size, 1, bias=False)

    def project(self, memory: Tensor) -> Tensor:
        """``U memory``, ``(b, s, attention_size)``."""
        return self.key_projection(memory)

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """The additive score; see :meth:`Attention.score`."""
        return self.energy((self.query_projection(query)[:, :, None] + keys[:, None]).tanh()).squeeze(-1)


class ConcatAttention(Attention):
    """Luong's concat score, ``v . tanh(W [query; memory])`` (Luong et al. 2015, equation 8).

    One matrix over both, as in the paper; its two halves are applied apart, so that the memory's half is made once.

    Args:
        query_size: Width of the query; the decoder gives it.
        memory_size: Width of the memory; the decoder gives it.
    """

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__(query_size, memory_size)
        self.projection = nn.Linear(query_size + memory_size, query_size, bias=False)
        self.energy = nn.Linear(query_size, 1, bias=False)

    def project(self, memory: Tensor) -> Tensor:
        """The memory's half of ``W [query; memory]``, ``(b, s, q)``."""
        return functional.linear(memory, self.projection.weight[:, self.query_size :])

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """The concat score; see :meth:`Attention.score`."""
        projected = functional.linear(query, self.projection.weight[:, : self.query_size])
        return self.energy((projected[:, :, None] + keys[:, None]).tanh()).squeeze(-1)


class DotAttention(Attention):
    """Luong's dot score, ``query . memory`` (Luong et al. 2015, equation 8).

    Args:
        query_size: Width of the query; the decoder gives it.
        memory_size: Width of the memory; the decoder gives it.

    Raises:
        UserError: The two widths differ.
    """

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__(query_size, memory_size)
        if query_size != memory_size:
            raise UserError(
                f"DotAttention needs a query as wide as the memory, but the decoder's hidden_size is {query_size} and "
                f"the encoder's width, directions together, {memory_size}: make them equal, or take GeneralAttention"
            )

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """The dot product; see :meth:`Attention.score`."""
        return query @ keys.transpose(1, 2)


class GeneralAttention(Attention):
    """Luong's general score, ``query . W memory`` (Luong et al. 2015, equation 8).

    Args:
        query_size: Width of the query; the decoder gives it.
        memory_size: Width of the memory; the decoder gives it.
    """

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__(query_size, memory_size)
        self.key_projection = nn.Linear(memory_size, query_size, bias=False)

    def project(self, memory: Tensor) -> Tensor:
        """``W memory``, ``(b, s, q)``."""
        return self.key_projection(memory)

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """The bilinear score; see :meth:`Attention.score`."""
        return query @ keys.transpose(1, 2)


class NoAttention(Attention):
    """No attention at all: the source reaches the decoder through its initial state alone (Sutskever et al. 2014).

    The context has width 0 and the weights have no head, so that a decoder needs no special case.

    Args:
        query_size: Width of the query; the decoder gives it.
        memory_size: Width of the memory; the decoder gives it.
    """

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__(query_size, memory_size)
        self.context_size = 0

    def project(self, memory: Tensor) -> Tensor:
        """Keys of width 0."""
        return memory[:, :, :0]

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """Equal scores; see :meth:`Attention.score`."""
        return query.new_zeros(query.shape[0], query.shape[1], keys.shape[1])

    def forward(self, query: Tensor, keys: Tensor, memory: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """A context ``(b, t, 0)`` and weights ``(b, 0, t, s)``."""
        batch, steps = query.shape[:2]
        return query.new_zeros(batch, steps, 0), query.new_zeros(batch, 0, steps, memory.shape[1])
