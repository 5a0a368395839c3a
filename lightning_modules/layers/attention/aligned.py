"""Attention where it is known which source tokens a target token belongs to."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_modules.layers.attention.attention import Attention, AttentionFactory
from lightning_modules.layers.attention.multiplicative import GeneralAttention
from lightning_modules.layers.attention.stateful import StatefulAttention
from lightning_modules.layers.attention.window import outside, source_lengths
from lightning_modules.layers.checks import check_sizes


class AlignedAttention(StatefulAttention):
    """A window over another attention: each target token sees the source tokens of its own place alone.

    Where source and target run in step, as a bar and its chord, or a note and those below it, the t-th token belongs to
    the group ``t // targets``, which has the source positions from ``sources * group`` on, ``sources`` of them; behind
    the source's end, its last one. As monotonic as local-m (Luong et al. 2015, section 3.2), but with both sides in
    groups; and as nothing depends on earlier weights, a whole target is one batched call. Where a whole group is
    hidden, its tokens see the nearest positions that are not.

    Args:
        query_size: Width of the query; the decoder gives it.
        memory_size: Width of the memory; the decoder gives it.
        sources: Source tokens of a group.
        targets: Target tokens of a group.
        score: The attention whose scores, keys and contexts these are, made of (query size, memory size).
        temperature: What scores are divided by before the softmax.

    Raises:
        UserError: A group would have no token.
    """

    def __init__(
        self,
        query_size: int,
        memory_size: int,
        sources: int = 1,
        targets: int = 1,
        score: AttentionFactory = GeneralAttention,
        temperature: float = 1.0,
    ) -> None:
        super().__init__(query_size, memory_size, temperature)
        check_sizes(self, sources=sources, targets=targets)
        self.sources = sources
        self.targets = targets
        self.within: Attention = score(query_size, memory_size)
        self.context_size = self.within.context_size
        self.heads = self.within.heads

    def project(self, memory: Tensor) -> Tensor:
        """The keys of the attention that scores."""
        return self.within.project(memory)

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """The scores of the attention that scores; see :meth:`Attention.score`."""
        return self.within.score(query, keys)

    def context(self, weights: Tensor, keys: Tensor, memory: Tensor) -> Tensor:
        """The context of the attention that scores; see :meth:`Attention.context`."""
        return self.within.context(weights, keys, memory)

    def initial(self, mask: Tensor) -> Tensor:
        """No token before the first, ``(b,)``, int64."""
        return torch.zeros(mask.shape[0], dtype=torch.int64, device=mask.device)

    def advance(
        self, query: Tensor, keys: Tensor, memory: Tensor, mask: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Attends to the group of the token ``(b, r)``; see :meth:`StatefulAttention.advance`."""
        context, weights, after = self.run(query[:, :, None], keys, memory, mask, state)
        return context.squeeze(2), weights.squeeze(3), after

    def run(
        self, query: Tensor, keys: Tensor, memory: Tensor, mask: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Attends, all queries at once; see :meth:`StatefulAttention.run`."""
        length = query.shape[2]
        tokens = (state[:, :, None] + torch.arange(length, device=state.device)).flatten(1)
        bias = self._outside(tokens, mask)
        together = query.flatten(1, 2)
        weights = self.weights(self.score(together, keys), mask, bias)
        context = self.context(weights, keys, memory).unflatten(1, (-1, length))
        return context, weights.unflatten(2, (-1, length)), state + length

    def _outside(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """What is added to scores: 0 within each token's group, minus infinity outside.

        Args:
            tokens: ``(b, t)``, the number of each target token, from 0.
            mask: ``(b, s)``, True where there is a token.

        Returns:
            ``(b, t, s)``, float32.
        """
        last = source_lengths(mask) - 1
        first = torch.minimum(tokens // self.targets * self.sources, last)[:, :, None].float()
        positions = torch.arange(mask.shape[1], device=mask.device)
        before, behind = first - positions, positions - (first + self.sources - 1)
        return outside(torch.maximum(before, behind).clamp(min=0), 0, mask)
