"""The score of additive attention, as one operation with its gradient written out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lightning_modules.kernels.graph_form import GraphForm

PART_VALUES = 2**19
"""Sums of a query and a key that are made at once: two MiB in float32."""


def additive_score(queries: Tensor, keys: Tensor, weight: Tensor) -> Tensor:
    """``weight . tanh(query + key)`` for each query and each key (Bahdanau et al. 2015, appendix A.1.2).

    Args:
        queries: Projected queries, ``(b, t, a)``.
        keys: ``(b, s, a)``.
        weight: ``(1, a)``.

    Returns:
        ``(b, 1, t, s)``.
    """
    if GraphForm.current() is not None:
        return ((queries[:, :, None] + keys[:, None]).tanh() @ weight.t()).squeeze(3)[:, None]
    if torch.is_autocast_enabled(queries.device.type):
        precision = torch.get_autocast_dtype(queries.device.type)
        queries, keys, weight = queries.to(precision), keys.to(precision), weight.to(precision)
    return _AdditiveEnergy.apply(queries, keys, weight) if torch.is_grad_enabled() else _energies(queries, keys, weight)


def _energies(queries: Tensor, keys: Tensor, weight: Tensor) -> Tensor:
    """As :func:`additive_score`, by the sigmoid of :class:`_AdditiveEnergy`: ``2 weight . s - sum(weight)``."""
    energies, double = queries.new_empty(len(queries), 1, queries.shape[1], keys.shape[1]), 2 * weight.t()
    constant = -weight.sum(dtype=weight.dtype)  # which autocast makes in float32 on a GPU
    for part, room in _parts(queries, keys):
        sigmoids = _sigmoids(queries[part], keys[part], room)
        torch.addmm(constant, sigmoids.flatten(0, 2), double, out=energies[part].view(-1, 1))
    return energies


class _AdditiveEnergy(torch.autograd.Function):
    """Keeps queries and keys for the backward pass and not what is between them, which has t times the keys' size.

    Some sentences at a time, so that what is between stays in the processor's cache, however long the memory is.

    On the CPU a sigmoid takes a seventh of the time of a tanh, so ``tanh(x) = 2 sigmoid(2 x) - 1`` is used: with
    ``s = sigmoid(2 x)`` the score is ``2 weight . s - sum(weight)``, and its derivative by x ``4 weight s (1 - s)``.
    """

    @staticmethod
    def forward(ctx: Any, queries: Tensor, keys: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(queries, keys, weight)
        return _energies(queries, keys, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        queries, keys, weight = ctx.saved_tensors
        grad_queries, grad_keys = torch.empty_like(queries), torch.empty_like(keys)
        grad_weight = -gradient.sum().view(1, 1)
        for part, room in _parts(queries, keys):
            sigmoids = _sigmoids(queries[part], keys[part], room)
            rows, row_gradients = sigmoids.flatten(0, 2), gradient[part].flatten()
            grad_weight = torch.addmm(grad_weight, row_gradients[None], rows, alpha=2)
            # With one query the gradients of the sums are the keys': they are made in their place.
            grad_sums = grad_keys[part][:, None] if queries.shape[1] == 1 else torch.empty_like(sigmoids)
            grad_rows = grad_sums.flatten(0, 2)
            torch.mul(row_gradients[:, None], 4 * weight, out=grad_rows)
            torch.ops.aten.sigmoid_backward.grad_input(grad_rows, rows, grad_input=grad_rows)
            torch.sum(grad_sums, dim=2, out=grad_queries[part])
            if queries.shape[1] > 1:
                torch.sum(grad_sums, dim=1, out=grad_keys[part])
        return grad_queries, grad_keys, grad_weight.expand_as(weight)


def _parts(queries: Tensor, keys: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """The sentences in parts, and one room for the sums of a part, ``(part, t, s, a)``: fresh memory costs more.

    On the CPU a part has as many sentences as have :data:`PART_VALUES` sums, at least one; else it is all.
    """
    size = len(queries)
    if keys.device.type == "cpu" and size:
        size = min(size, max(1, PART_VALUES // max(1, queries.shape[1] * keys[0].numel())))
    room = keys.new_empty(size, queries.shape[1], *keys.shape[1:])
    for start in range(0, len(queries), max(1, size)):
        yield slice(start, start + size), room[: len(queries) - start]


def _sigmoids(queries: Tensor, keys: Tensor, room: Tensor) -> Tensor:
    """``sigmoid(2 (query + key))``, ``(b, t, s, a)``, in the given room."""
    return torch.add(2 * queries[:, :, None], keys[:, None], alpha=2, out=room).sigmoid_()
