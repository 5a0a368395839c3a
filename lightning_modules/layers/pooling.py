"""Pooling: what an encoder says of a sequence becomes one vector."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from lightning_modules.kernels.linear import Linear
from lightning_modules.layers.checks import check_sizes
from lightning_modules.layers.recurrent import State


class Pooling(nn.Module, ABC):
    """What every pooling offers; padding has no influence on it.

    Args:
        memory_size: Width of the memory; the model gives it.
        state_size: Width of the final state, the directions joined; the model gives it.

    Attributes:
        output_size: Width of the vector that comes out.
    """

    def __init__(self, memory_size: int, state_size: int) -> None:
        super().__init__()
        self.output_size = memory_size

    @abstractmethod
    def forward(self, memory: Tensor, state: State, mask: Tensor) -> Tensor:
        """Pools.

        Args:
            memory: ``(batch, source_len, memory_size)``.
            state: The final state, each part ``(layers, batch, state_size)``.
            mask: ``(batch, source_len)``, True where there is a token; at least one in every row.

        Returns:
            ``(batch, output_size)``.
        """

    def parts(self, memory: Tensor, mask: Tensor) -> Tensor | None:
        """What each position adds to the pooled vector; None where it is no sum over positions.

        Args:
            memory: ``(batch, source_len, memory_size)``.
            mask: ``(batch, source_len)``, True where there is a token; at least one in every row.

        Returns:
            ``(batch, source_len, output_size)``, which sums over positions to :meth:`forward`.
        """
        return None


PoolingFactory = Callable[[int, int], Pooling]
"""Makes a pooling of (memory size, state size)."""


class FinalStatePooling(Pooling):
    """The final state of each direction in the top layer: forward at the last token, backward at the first.

    Both have read the whole sequence.

    Args:
        memory_size: Width of the memory; the model gives it.
        state_size: Width of the final state, the directions joined; the model gives it.
    """

    def __init__(self, memory_size: int, state_size: int) -> None:
        super().__init__(memory_size, state_size)
        self.output_size = state_size

    def forward(self, memory: Tensor, state: State, mask: Tensor) -> Tensor:
        """The top layer's h; see :meth:`Pooling.forward`."""
        return state[0][-1]


class MeanPooling(Pooling):
    """The mean of the memory over the real positions.

    Args:
        memory_size: Width of the memory; the model gives it.
        state_size: Width of the final state, the directions joined; the model gives it.
    """

    def forward(self, memory: Tensor, state: State, mask: Tensor) -> Tensor:
        """The mean; see :meth:`Pooling.forward`."""
        return memory.masked_fill(~mask[:, :, None], 0.0).sum(dim=1) / mask.sum(dim=1, keepdim=True)

    def parts(self, memory: Tensor, mask: Tensor) -> Tensor:
        """Each position over their number; see :meth:`Pooling.parts`."""
        return memory.masked_fill(~mask[:, :, None], 0.0) / mask.sum(dim=1)[:, None, None]


class MaxPooling(Pooling):
    """The maximum of each column of the memory over the real positions (Collobert et al. 2011).

    Args:
        memory_size: Width of the memory; the model gives it.
        state_size: Width of the final state, the directions joined; the model gives it.
    """

    def forward(self, memory: Tensor, state: State, mask: Tensor) -> Tensor:
        """The maximum; see :meth:`Pooling.forward`."""
        return memory.masked_fill(~mask[:, :, None], -torch.inf).amax(dim=1)

    def parts(self, memory: Tensor, mask: Tensor) -> Tensor:
        """Each column where it is greatest, the first such position; see :meth:`Pooling.parts`."""
        greatest, where = memory.masked_fill(~mask[:, :, None], -torch.inf).max(dim=1, keepdim=True)
        return torch.zeros_like(memory).scatter(1, where, greatest)


class AttentionPooling(Pooling):
    """A weighted mean of the memory; the weights come of a learned query (Yang et al. 2016, equations 5 to 7).

    Args:
        memory_size: Width of the memory; the model gives it.
        state_size: Width of the final state, the directions joined; the model gives it.
        attention_size: Width of the hidden layer; the memory's width if not given.

    Raises:
        UserError: The attention size is below 1.
    """

    def __init__(self, memory_size: int, state_size: int, attention_size: int | None = None) -> None:
        super().__init__(memory_size, state_size)
        check_sizes(self, attention_size=attention_size)
        size = attention_size or memory_size
        self.key_projection = Linear(memory_size, size)
        self.query = Linear(size, 1, bias=False)

    def weights(self, memory: Tensor, mask: Tensor) -> Tensor:
        """How much each position counts.

        Args:
            memory: ``(batch, source_len, memory_size)``.
            mask: ``(batch, source_len)``, True where there is a token; at least one in every row.

        Returns:
            ``(batch, source_len)``: exactly 0 where the mask is False, summing to 1.
        """
        scores = self.query(self.key_projection(memory).tanh()).squeeze(-1)
        return scores.masked_fill(~mask, -torch.inf).softmax(dim=-1)

    def forward(self, memory: Tensor, state: State, mask: Tensor) -> Tensor:
        """The weighted mean; see :meth:`Pooling.forward`."""
        return (self.weights(memory, mask)[:, None] @ memory).squeeze(1)

    def parts(self, memory: Tensor, mask: Tensor) -> Tensor:
        """Each position by its weight; see :meth:`Pooling.parts`."""
        return self.weights(memory, mask)[:, :, None] * memory
