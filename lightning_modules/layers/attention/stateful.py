"""Attention mechanisms that know what they attended to before: coverage and location."""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
from torch import Tensor, nn

from datamodules.errors import UserError
from lightning_modules.kernels.additive_score import additive_score
from lightning_modules.kernels.linear import Linear
from lightning_modules.layers.attention.attention import Attention
from lightning_modules.layers.checks import check_sizes


class StatefulAttention(Attention):
    """An attention whose weights depend on those of earlier steps, and which therefore runs step by step.

    Letters as in :class:`Attention`, and r rows of each sentence: 1, or in a beam its prefixes.

    Args:
        query_size: Width of the query; the decoder gives it.
        memory_size: Width of the memory; the decoder gives it.
        temperature: What scores are divided by before the softmax.
    """

    @abstractmethod
    def initial(self, mask: Tensor) -> Tensor:
        """The state before the first step.

        Args:
            mask: ``(b, s)``, True where there is a token.

        Returns:
            ``(b, ...)``.
        """

    @abstractmethod
    def advance(
        self, query: Tensor, keys: Tensor, memory: Tensor, mask: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Attends, one step of each row.

        Args:
            query: ``(b, r, q)``.
            keys: ``(b, s, key_size)``, from :meth:`project`.
            memory: ``(b, s, m)``.
            mask: ``(b, s)``, True where there is a token.
            state: ``(b, r, ...)``, from :meth:`initial` or the last step.

        Returns:
            The context ``(b, r, m)``, the weights ``(b, heads, r, s)``, and the next state.
        """

    def forward(self, query: Tensor, keys: Tensor, memory: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Attends from the first step on, one query after the other; see :meth:`Attention.forward`."""
        context, weights, _ = self.run(query[:, None], keys, memory, mask, self.initial(mask)[:, None])
        return context.squeeze(1), weights.squeeze(2)

    def run(
        self, query: Tensor, keys: Tensor, memory: Tensor, mask: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Attends, one query of each row after the other.

        Args:
            query: ``(b, r, t, q)``.
            keys: ``(b, s, key_size)``, from :meth:`project`.
            memory: ``(b, s, m)``.
            mask: ``(b, s)``, True where there is a token.
            state: ``(b, r, ...)``.

        Returns:
            Contexts ``(b, r, t, m)``, weights ``(b, heads, r, t, s)``, and the state after the last.
        """
        contexts, weights = [], []
        for each in query.unbind(2):
            context, weight, state = self.advance(each, keys, memory, mask, state)
            contexts.append(context)
            weights.append(weight)
        return torch.stack(contexts, dim=2), torch.stack(weights, dim=3), state


class _StatefulAdditiveAttention(StatefulAttention):
    """``v . tanh(W query + U memory + f(state))``, by positions; what f is, a subclass says."""

    def __init__(self, query_size: int, memory_size: int, attention_size: int | None, temperature: float) -> None:
        super().__init__(query_size, memory_size, temperature)
        check_sizes(self, attention_size=attention_size)
        self.attention_size = attention_size or query_size
        self.query_projection = Linear(query_size, self.attention_size, bias=False)
        self.key_projection = Linear(memory_size, self.attention_size, bias=True)
        self.energy = Linear(self.attention_size, 1, bias=False)

    def project(self, memory: Tensor) -> Tensor:
        """``U memory``, ``(b, s, attention_size)``."""
        return self.key_projection(memory)

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """The additive score, given keys to which f(state) was added; see :meth:`Attention.score`."""
        return additive_score(self.query_projection(query), keys, self.energy.weight)

    def _attend(
        self, query: Tensor, keys: Tensor, added: Tensor, memory: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Attends by keys that differ from row to row.

        Args:
            query: ``(b, r, q)``.
            keys: ``(b, s, attention_size)``.
            added: ``(b, r, s, attention_size)``, f(state).
            memory: ``(b, s, m)``.
            mask: ``(b, s)``.

        Returns:
            Context ``(b, r, m)`` and weights ``(b, 1, r, s)``.
        """
        of_rows = (keys[:, None] + added).flatten(0, 1)
        scores = self.score(query.flatten(0, 1)[:, None], of_rows).view(mask.shape[0], 1, query.shape[1], -1)
        weights = self.weights(scores, mask)
        return self.context(weights, keys, memory), weights


class CoverageAttention(_StatefulAdditiveAttention):
    """Additive attention that sees how much each position was attended to (See et al. 2017, section 2.3).

    ``c_t = sum of a_t' over t' < t``, and the score is ``v . tanh(W query + U memory + w c_t)`` (equations 10 and 11).
    With a fertility the coverage of a position is divided by ``N sigmoid(u . memory)``, the number of times that it is
    expected to be attended to (Tu et al. 2016, section 3.1, linguistic coverage). The loss of a training has in
    addition ``loss_weight * sum of min(a_t, c_t)`` (See et al., equations 12 and 13).

    Args:
        query_size: Width of the query; the decoder gives it.
        memory_size: Width of the memory; the decoder gives it.
        attention_size: Width of the hidden layer; the query's width if not given.
        loss_weight: Weight of the coverage loss; 0 for none.
        fertility: Greatest number of target tokens that a position is expected to account for, N; no fertility if not
            given.
        temperature: What scores are divided by before the softmax.

    Raises:
        UserError: The attention size is below 1, the weight below 0, or the fertility not above 0.
    """

    def __init__(
        self,
        query_size: int,
        memory_size: int,
        attention_size: int | None = None,
        loss_weight: float = 1.0,
        fertility: float | None = None,
        temperature: float = 1.0,
    ) -> None:
        super().__init__(query_size, memory_size, attention_size, temperature)
        if not 0 <= loss_weight < math.inf:
            raise UserError(f"the loss_weight of CoverageAttention is {loss_weight}: give 0 or more")
        if fertility is not None and not 0 < fertility < math.inf:
            raise UserError(f"the fertility of CoverageAttention is {fertility}: give a number above 0, or none")
        self.loss_weight = loss_weight
        self.fertility = fertility
        self.coverage_projection = Linear(1, self.attention_size, bias=False)
        self.fertility_projection = None if fertility is None else Linear(memory_size, 1, bias=False)

    def project(self, memory: Tensor) -> Tensor:
        """``U memory``, and with a fertility one column more: what coverage is multiplied by."""
        keys = super().project(memory)
        if self.fertility is None or self.fertility_projection is None:
            return keys
        expected = self.fertility * self.fertility_projection(memory).sigmoid()
        return torch.cat([keys, expected.reciprocal()], dim=-1)

    def initial(self, mask: Tensor) -> Tensor:
        """No coverage, ``(b, s)``."""
        return self.energy.weight.new_zeros(mask.shape)

    def advance(
        self, query: Tensor, keys: Tensor, memory: Tensor, mask: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Attends, and adds the weights to the coverage ``(b, r, s)``; see :meth:`StatefulAttention.advance`."""
        coverage = state if self.fertility is None else state * keys[:, None, :, -1]
        added = self.coverage_projection(coverage[..., None])
        context, weights = self._attend(query, keys[..., : self.attention_size], added, memory, mask)
        return context, weights, state + weights.squeeze(1)

    def loss(self, weights: Tensor, mask: Tensor) -> Tensor | None:
        """The coverage loss; see :meth:`Attention.loss`."""
        if not self.loss_weight:
            return None
        covered = weights.cumsum(dim=2) - weights
        return self.loss_weight * (torch.minimum(weights, covered) * mask[:, None, :, None]).sum()


class LocationAttention(_StatefulAdditiveAttention):
    """Additive attention that sees where it attended to at the last step (Chorowski et al. 2015, section 2.1).

    ``f_t = F * a_(t-1)``, a convolution over positions, and the score is ``v . tanh(W query + U memory + V f_t)``
    (equations 8 and 9); zeros stand before the first step.

    Args:
        query_size: Width of the query; the decoder gives it.
        memory_size: Width of the memory; the decoder gives it.
        attention_size: Width of the hidden layer; the query's width if not given.
        filters: Number of filters, k.
        filter_size: Positions that a filter sees, an odd number: itself and as many on either side.
        temperature: What scores are divided by before the softmax.

    Raises:
        UserError: A size is below 1, or the filter's is even.
    """

    def __init__(
        self,
        query_size: int,
        memory_size: int,
        attention_size: int | None = None,
        filters: int = 10,
        filter_size: int = 7,
        temperature: float = 1.0,
    ) -> None:
        super().__init__(query_size, memory_size, attention_size, temperature)
        check_sizes(self, filters=filters, filter_size=filter_size)
        if filter_size % 2 == 0:
            raise UserError(f"the filter_size of LocationAttention is {filter_size}: give an odd number")
        self.filters = nn.Conv1d(1, filters, filter_size, padding=filter_size // 2, bias=False)
        self.filter_projection = Linear(filters, self.attention_size, bias=False)

    def initial(self, mask: Tensor) -> Tensor:
        """Nothing attended to yet, ``(b, s)``."""
        return self.energy.weight.new_zeros(mask.shape)

    def advance(
        self, query: Tensor, keys: Tensor, memory: Tensor, mask: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Attends; the weights are the next state ``(b, r, s)``. See :meth:`StatefulAttention.advance`."""
        found = self.filters(state.flatten(0, 1)[:, None]).transpose(1, 2)
        added = self.filter_projection(found).unflatten(0, state.shape[:2])
        context, weights = self._attend(query, keys, added, memory, mask)
        return context, weights, weights.squeeze(1)
