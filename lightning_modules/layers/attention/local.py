"""Luong's local attention: a window of the source around a position that moves with the target or is predicted."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_modules.kernels.linear import Linear
from lightning_modules.layers.attention.attention import Attention, AttentionFactory
from lightning_modules.layers.attention.multiplicative import GeneralAttention
from lightning_modules.layers.attention.stateful import StatefulAttention
from lightning_modules.layers.attention.window import outside, source_lengths
from lightning_modules.layers.checks import check_sizes


class _LocalAttention(Attention):
    """A window over another attention, whose scores, keys and contexts it takes.

    Args:
        query_size: Width of the query; the decoder gives it.
        memory_size: Width of the memory; the decoder gives it.
        window: Positions on either side, D.
        score: The attention whose scores, keys and contexts these are, made of (query size, memory size).
        temperature: What scores are divided by before the softmax.

    Raises:
        UserError: The window is below 1.
    """

    def __init__(
        self,
        query_size: int,
        memory_size: int,
        window: int = 10,
        score: AttentionFactory = GeneralAttention,
        temperature: float = 1.0,
    ) -> None:
        super().__init__(query_size, memory_size, temperature)
        check_sizes(self, window=window)
        self.window = window
        self.global_attention = score(query_size, memory_size)
        self.context_size = self.global_attention.context_size
        self.heads = self.global_attention.heads

    def project(self, memory: Tensor) -> Tensor:
        """The keys of the attention that scores."""
        return self.global_attention.project(memory)

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """The scores of the attention that scores; see :meth:`Attention.score`."""
        return self.global_attention.score(query, keys)

    def context(self, weights: Tensor, keys: Tensor, memory: Tensor) -> Tensor:
        """The context of the attention that scores; see :meth:`Attention.context`."""
        return self.global_attention.context(weights, keys, memory)


class LocalMonotonicAttention(_LocalAttention, StatefulAttention):
    """Attention within a window that moves one position per target token: local-m (Luong et al. 2015, section 3.2).

    The t-th token attends to the positions from ``t - window`` to ``t + window``; behind the source's end, to those
    around its last. Where all of them are hidden, it attends to the nearest that are not.
    """

    def initial(self, mask: Tensor) -> Tensor:
        """Position 0 for each sentence, ``(b,)``, int64."""
        return torch.zeros(mask.shape[0], dtype=torch.int64, device=mask.device)

    def advance(
        self, query: Tensor, keys: Tensor, memory: Tensor, mask: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Attends around the position ``(b, r)``; see :meth:`StatefulAttention.advance`."""
        centre = torch.minimum(state, source_lengths(mask) - 1)
        distance = torch.arange(mask.shape[1], device=mask.device) - centre[:, :, None].float()
        weights = self.weights(self.score(query, keys), mask, outside(distance.abs(), self.window, mask))
        return self.context(weights, keys, memory), weights, state + 1


class LocalPredictiveAttention(_LocalAttention):
    """Attention within a window around a position that the query predicts: local-p (Luong et al. 2015, section 3.2).

    ``p_t = S sigmoid(v . tanh(W query))`` for a source of S tokens (equation 9), and the weights within the window are
    those of the scores times ``exp(-(s - p_t)^2 / (2 sigma^2))``, ``sigma = window / 2`` (equation 10), divided by
    their sum: in seqlab weights are a distribution, which copying, entropies and pictures rely on. Where the whole
    window is hidden, it is as wide as to the nearest position that is not.

    Args:
        query_size: Width of the query; the decoder gives it.
        memory_size: Width of the memory; the decoder gives it.
        window: Positions on either side, D.
        score: The attention whose scores, keys and contexts these are, made of (query size, memory size).
        temperature: What scores are divided by before the softmax.

    Raises:
        UserError: The window is below 1.
    """

    def __init__(
        self,
        query_size: int,
        memory_size: int,
        window: int = 10,
        score: AttentionFactory = GeneralAttention,
        temperature: float = 1.0,
    ) -> None:
        super().__init__(query_size, memory_size, window, score, temperature)
        self.position_projection = Linear(query_size, query_size, bias=False)
        self.position_energy = Linear(query_size, 1, bias=False)

    def forward(self, query: Tensor, keys: Tensor, memory: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Attends around the predicted positions; see :meth:`Attention.forward`."""
        energy = self.position_energy(self.position_projection(query).tanh()).squeeze(2)
        share = energy.to(torch.promote_types(energy.dtype, torch.float32)).sigmoid()  # sixteen bits count to 256
        centre = source_lengths(mask) * share
        distance = torch.arange(mask.shape[1], device=mask.device) - centre[:, :, None]
        bias = outside(distance.abs(), self.window, mask) - 2 * (distance / self.window).square()
        weights = self.weights(self.score(query, keys), mask, bias)
        return self.context(weights, keys, memory), weights
