"""The score of additive attention, as one operation with its gradient written out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def additive_energy(queries: Tensor, keys: Tensor, weight: Tensor) -> Tensor:
    """``weight . tanh(query + key)`` for each query and each key (Bahdanau et al. 2015, appendix A.1.2).

    Args:
        queries: Projected queries, ``(b, t, a)``.
        keys: ``(b, s, a)``.
        weight: ``(1, a)``.

    Returns:
        ``(b, 1, t, s)``.
    """
    if torch.is_autocast_enabled(queries.device.type):
        precision = torch.get_autocast_dtype(queries.device.type)
        queries, keys, weight = queries.to(precision), keys.to(precision), weight.to(precision)
    return _AdditiveEnergy.apply(queries, keys, weight)


class _AdditiveEnergy(torch.autograd.Function):
    """Keeps queries and keys for the backward pass and not what is between them, which has t times the keys' size.

    On the CPU a sigmoid takes a seventh of the time of a tanh, so ``tanh(x) = 2 sigmoid(2 x) - 1`` is used: with
    ``s = sigmoid(2 x)`` the score is ``2 weight . s - sum(weight)``, and its derivative by x ``4 weight s (1 - s)``.
    """

    @staticmethod
    def forward(ctx: Any, queries: Tensor, keys: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(queries, keys, weight)
        sigmoids = _sigmoids(queries, keys)
        energies = sigmoids.flatten(0, 2).mv(weight[0]).mul_(2).sub_(weight.sum())
        return energies.view(sigmoids.shape[:-1])[:, None]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        queries, keys, weight = ctx.saved_tensors
        sigmoids = _sigmoids(queries, keys)
        rows, row_gradients = sigmoids.flatten(0, 2), gradient.flatten()
        grad_weight = 2 * (row_gradients @ rows) - row_gradients.sum()
        grad_sums = row_gradients[:, None] * (4 * weight)
        torch.ops.aten.sigmoid_backward.grad_input(grad_sums, rows, grad_input=grad_sums)
        grad_sums = grad_sums.view_as(sigmoids)
        # With one query there is nothing to be summed, and so no copy.
        grad_keys = grad_sums.sum(dim=1) if grad_sums.shape[1] > 1 else grad_sums.squeeze(1)
        return grad_sums.sum(dim=2), grad_keys, grad_weight[None]


def _sigmoids(queries: Tensor, keys: Tensor) -> Tensor:
    """``sigmoid(2 (query + key))``, ``(b, t, s, a)``."""
    return torch.add(queries[:, :, None], keys[:, None]).mul_(2).sigmoid_()
