"""No attention, behind the interface of those that are."""

from __future__ import annotations

from torch import Tensor

from lightning_modules.layers.attention.attention import Attention


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
