"""Linear layers whose products are made by :mod:`lightning_modules.kernels.onednn`, those of the gradients too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from lightning_modules.kernels.deferred_gradients import GatheredGradients
from lightning_modules.kernels.graph_form import GraphForm
from lightning_modules.kernels.onednn import is_for_bfloat16, is_for_onednn, product, weight_gradient
from lightning_modules.kernels.packed_weights import PackedWeights


class Linear(nn.Linear):
    """``nn.Linear``, by :func:`linear`."""

    def forward(self, input: Tensor) -> Tensor:
        """``(..., in_features)`` to ``(..., out_features)``."""
        return linear(input, self.weight, self.bias)


def linear(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``inputs @ weight.t() + bias``: ``functional.linear``, faster on the CPU.

    Args:
        inputs: ``(..., in)``.
        weight: ``(out, in)``.
        bias: ``(out,)``; None for none.

    Returns:
        ``(..., out)``.
    """
    gathering = GatheredGradients.with_gradients()
    deferred = None if gathering is None else gathering.linear((inputs,), (weight,), bias)
    if deferred is not None:
        return deferred
    if torch.is_autocast_enabled(inputs.device.type) or GraphForm.current() is not None:
        return functional.linear(inputs, weight, bias)
    rows = inputs if inputs.dim() == 2 else inputs.flatten(0, -2)
    if PackedWeights.are_kept():
        outputs = PackedWeights.product(rows, (weight,), bias)
    elif is_for_bfloat16(rows, weight) or is_for_onednn(rows, weight):
        outputs = _Linear.apply(rows, weight, bias)
    else:
        return functional.linear(inputs, weight, bias)
    return outputs if rows is inputs else outputs.view(*inputs.shape[:-1], len(weight))


def joint_linear(inputs: Sequence[Tensor], weights: Sequence[Tensor], bias: Tensor | None = None) -> Tensor:
    """``sum_i inputs_i @ weight_i.t() + bias``: a linear layer over inputs side by side, whose matrix lies in parts.

    Where the parts are multiplied again and again, in a loop or a search, they are laid side by side once.

    Args:
        inputs: Each ``(..., in_i)``.
        weights: Each ``(out, in_i)``.
        bias: ``(out,)``; None for none.

    Returns:
        ``(..., out)``.
    """
    gathering = GatheredGradients.with_gradients()
    deferred = None if gathering is None else gathering.linear(inputs, weights, bias)
    if deferred is not None:
        return deferred
    if PackedWeights.are_kept() and not torch.is_autocast_enabled(inputs[0].device.type):
        joined = torch.cat(list(inputs), dim=-1)
        rows = joined if joined.dim() == 2 else joined.flatten(0, -2)
        outputs = PackedWeights.product(rows, weights, bias)
        return outputs if rows is joined else outputs.view(*joined.shape[:-1], outputs.shape[-1])
    first, *others = (linear(*pair) for pair in zip(inputs, weights, strict=True))
    return sum(others, first if bias is None else first + bias)


def matmul(inputs: Tensor, matrices: Tensor) -> Tensor:
    """``inputs @ matrices``, for what is multiplied at each step of a loop: see :class:`GatheredGradients`.

    Args:
        inputs: ``(..., rows, in)``.
        matrices: ``(..., in, out)``.

    Returns:
        ``(..., rows, out)``.
    """
    gathering = GatheredGradients.with_gradients()
    deferred = None if gathering is None else gathering.matmul(inputs, matrices)
    return inputs @ matrices if deferred is None else deferred


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        return product(inputs, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        inputs, weight = ctx.saved_tensors
        return (
            product(gradient, weight.t()) if ctx.needs_input_grad[0] else None,
            weight_gradient(gradient, inputs) if ctx.needs_input_grad[1] else None,
            gradient.sum(dim=0) if ctx.needs_input_grad[2] else None,
        )
