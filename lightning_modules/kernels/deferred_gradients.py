"""Loops whose matrices get their gradient once, after the last step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lightning_modules.kernels.onednn import as_whole, packed, product, weight_gradient
from lightning_modules.kernels.scope import Scope

_Calls = list[tuple[Tensor, Tensor]]
"""Inputs ``(..., rows, in)`` and output gradients ``(..., rows, out)`` of the calls that the backward pass has been
through."""


class GatheredGradients(Scope):
    """Within it, a matrix that is multiplied again and again gets one gradient for all its products.

    For each call of :func:`~lightning_modules.kernels.linear.linear` autograd makes a product
    ``(in, rows) x (rows, out)`` and adds it to the weight's gradient. In a loop over a target, with a batch of some
    rows, that moves the whole matrix through the memory at each step. Here the calls of one weight leave their inputs
    and output gradients, and when the backward pass comes back to the weight itself, one product over the rows of all
    of them makes the same sum. So it is for the ``inputs @ memory`` of
    :func:`~lightning_modules.kernels.linear.matmul`, where each sentence has a matrix of its own. The parts of a
    :func:`~lightning_modules.kernels.linear.joint_linear` are laid side by side once.

    That pays where the matrix is larger than what is multiplied with it; other calls stay as they are. Matrices are
    told apart by where they lie in memory, so that a part of one may be cut out anew in each step.
    """

    def __init__(self) -> None:
        self._matrices: dict[tuple[object, ...], _Matrix] = {}

    @classmethod
    def with_gradients(cls) -> Self | None:
        """The current one; None outside, and where there are no gradients."""
        return cls.current() if torch.is_grad_enabled() else None

    def linear(self, inputs: Sequence[Tensor], weights: Sequence[Tensor], bias: Tensor | None) -> Tensor | None:
        """``sum_i inputs_i @ weight_i.t() + bias``.

        Args:
            inputs: Each ``(..., in_i)``.
            weights: Each ``(out, in_i)``.
            bias: ``(out,)``; None for none.

        Returns:
            ``(..., out)``; None where it does not pay.
        """
        if not all(_pays(*pair) for pair in zip(inputs, weights, strict=True)):
            return None
        joined = torch.cat(list(inputs), dim=-1) if len(inputs) > 1 else inputs[0]
        outputs = self._of(weights, bias, transposed=True)(joined.flatten(0, -2))
        return outputs.view(*joined.shape[:-1], outputs.shape[-1])

    def matmul(self, inputs: Tensor, matrices: Tensor) -> Tensor | None:
        """``inputs @ matrices``.

        Args:
            inputs: ``(..., rows, in)``.
            matrices: ``(..., in, out)``.

        Returns:
            ``(..., rows, out)``; None where it does not pay, or where the two have not as many matrices.
        """
        alike = min(inputs.dim(), matrices.dim()) > 1 and inputs.shape[:-2] == matrices.shape[:-2]
        if not alike or not _pays(inputs, matrices):
            return None
        return self._of((matrices,), None, transposed=False)(inputs)

    def _of(self, matrices: Sequence[Tensor], bias: Tensor | None, transposed: bool) -> _Matrix:
        places = ((each.data_ptr(), each.shape, each.stride(), each._version) for each in matrices)
        key = (*places, transposed)
        if key not in self._matrices:
            self._matrices[key] = _Matrix(matrices, bias, transposed)
        return self._matrices[key]


class _Matrix:
    """A matrix that is multiplied several times; keeps it, so that no other can lie in the same place.

    Args:
        matrices: ``(..., in, out)``; more than one only for a linear layer whose matrix lies in parts.
        bias: ``(out,)``, added to each product; None for none.
        transposed: A matrix is ``(out, in)``, as a linear layer has it.
    """

    def __init__(self, matrices: Sequence[Tensor], bias: Tensor | None, transposed: bool) -> None:
        device = matrices[0].device.type
        if torch.is_autocast_enabled(device):
            matrices = [each.to(torch.get_autocast_dtype(device)) for each in matrices]
            bias = None if bias is None else bias.to(matrices[0].dtype)
        self._given = matrices
        self._calls: _Calls = []
        self._matrix, self._bias = _Gather.apply(bias, self._calls, transposed, *matrices)
        self._packed = packed(self._matrix) if transposed else None

    def __call__(self, inputs: Tensor) -> Tensor:
        """``(..., rows, in)`` to ``(..., rows, out)``."""
        inputs = inputs.to(self._matrix.dtype)
        if self._packed is None:
            return _Multiply.apply(inputs, self._matrix, self._calls)
        return _Linear.apply(inputs, self._matrix, self._packed, self._bias, self._calls)


class _Gather(torch.autograd.Function):
    """The matrix, ready to be multiplied; the backward pass makes its gradient of what the calls have left.

    A gradient is laid out as its matrix was given, so that it becomes the weight's without a copy.
    """

    @staticmethod
    def forward(
        ctx: Any, bias: Tensor | None, calls: _Calls, transposed: bool, *matrices: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        ctx.set_materialize_grads(False)
        ctx.calls, ctx.transposed, ctx.widths = calls, transposed, [each.shape[-1] for each in matrices]
        matrix = torch.cat(matrices, dim=1) if len(matrices) > 1 else as_whole(matrices[0]).view_as(matrices[0])
        return matrix, None if bias is None else bias.view_as(bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *_: Tensor | None) -> tuple[Tensor | None, ...]:
        if not ctx.calls:
            return (None,) * (3 + len(ctx.widths))
        inputs, gradients = (torch.cat(parts, dim=-2) for parts in zip(*ctx.calls, strict=True))
        ctx.calls.clear()
        if not ctx.transposed:
            return None, None, None, inputs.transpose(-2, -1) @ gradients
        grad_bias = gradients.sum(dim=0) if ctx.needs_input_grad[0] else None
        parts = inputs.split(ctx.widths, dim=1)
        return grad_bias, None, None, *(weight_gradient(gradients, part) for part in parts)


class _Linear(torch.autograd.Function):
    """One product with a linear layer's weight, and the bias; their gradients are left for :class:`_Gather` to make."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, packed: Tensor, bias: Tensor | None, calls: _Calls) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        ctx.calls = calls
        return product(inputs, packed, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, None, None, None, None]:
        inputs, weight = ctx.saved_tensors
        ctx.calls.append((inputs, gradient))
        return product(gradient, weight.t()) if ctx.needs_input_grad[0] else None, None, None, None, None


class _Multiply(torch.autograd.Function):
    """One product with a matrix for each sentence, whose gradient is left for :class:`_Gather` to make."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, matrix: Tensor, calls: _Calls) -> Tensor:
        ctx.save_for_backward(inputs, matrix)
        ctx.calls = calls
        return inputs @ matrix

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, None, None]:
        inputs, matrix = ctx.saved_tensors
        ctx.calls.append((inputs, gradient))
        return gradient @ matrix.transpose(-2, -1) if ctx.needs_input_grad[0] else None, None, None


def _pays(inputs: Tensor, matrix: Tensor) -> bool:
    return matrix.requires_grad and matrix.numel() > inputs.numel()
