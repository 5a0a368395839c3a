"""Loops whose matrices get their gradient once, after the last step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from lightning_modules.layers.linear import linear
from lightning_modules.layers.products import as_whole, packed, product, weight_gradient

_Calls = list[tuple[Tensor, Tensor]]
"""Inputs ``(..., rows, in)`` and output gradients ``(..., rows, out)`` of the calls that the backward pass has been
through."""


class GatheredGradients(TorchFunctionMode):
    """Within it, a matrix that is multiplied again and again gets one gradient for all its products.

    For each call of :func:`linear`, and of ``nn.Linear`` as well, autograd makes a product
    ``(in, rows) x (rows, out)`` and adds it to the weight's gradient. In a loop over a target, with a batch of some
    rows, that moves the whole matrix through the memory at each step. Here the calls of one weight leave their inputs
    and output gradients, and when the backward pass comes back to the weight itself, one product over the rows of all
    of them makes the same sum. So it is for ``inputs @ memory``, where each sentence has a matrix of its own.

    That pays where the matrix is larger than what is multiplied with it; other calls stay as they are. Matrices are
    told apart by where they lie in memory, so that a part of one may be cut out anew in each step.
    """

    def __init__(self) -> None:
        super().__init__()
        self._matrices: dict[tuple[object, ...], _Matrix] = {}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Takes the place of :func:`linear` and ``@``, and lets everything else be."""
        if torch.is_grad_enabled():
            if func is linear or func is functional.linear:
                return self._linear(*args, **(kwargs or {}))
            if func is torch.Tensor.__matmul__:
                return self._multiply(*args)
        return func(*args, **(kwargs or {}))

    def _linear(self, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        if not _pays(input, weight):
            return linear(input, weight, bias)
        return self._of(weight, bias, transposed=True)(input.flatten(0, -2)).unflatten(0, input.shape[:-1])

    def _multiply(self, input: Tensor, matrix: Tensor) -> Tensor:
        if input.shape[:-2] != matrix.shape[:-2] or not _pays(input, matrix):
            return input @ matrix
        return self._of(matrix, None, transposed=False)(input)

    def _of(self, matrix: Tensor, bias: Tensor | None, transposed: bool) -> _Matrix:
        key = (matrix.data_ptr(), matrix.shape, matrix.stride(), matrix._version, transposed)
        if key not in self._matrices:
            self._matrices[key] = _Matrix(matrix, bias, transposed)
        return self._matrices[key]


class _Matrix:
    """A matrix that is multiplied several times; keeps it, so that no other can lie in the same place.

    Args:
        matrix: ``(..., in, out)``.
        bias: ``(out,)``, added to each product; None for none.
        transposed: The matrix is ``(out, in)``, as a linear layer has it.
    """

    def __init__(self, matrix: Tensor, bias: Tensor | None, transposed: bool) -> None:
        device = matrix.device.type
        if torch.is_autocast_enabled(device):
            matrix = matrix.to(torch.get_autocast_dtype(device))
            bias = None if bias is None else bias.to(matrix.dtype)
        self._calls: _Calls = []
        self._matrix, self._bias = _Gather.apply(matrix, bias, self._calls, transposed)
        self._packed = packed(self._matrix) if transposed else None

    def __call__(self, inputs: Tensor) -> Tensor:
        """``(..., rows, in)`` to ``(..., rows, out)``."""
        inputs = inputs.to(self._matrix.dtype)
        if self._packed is None:
            return _Multiply.apply(inputs, self._matrix, self._calls)
        return _Linear.apply(inputs, self._matrix, self._packed, self._bias, self._calls)


class _Gather(torch.autograd.Function):
    """The matrix, ready to be multiplied; the backward pass makes its gradient of what the calls have left.

    The gradient is laid out as the matrix was given, so that it becomes the weight's without a copy.
    """

    @staticmethod
    def forward(
        ctx: Any, matrix: Tensor, bias: Tensor | None, calls: _Calls, transposed: bool
    ) -> tuple[Tensor, Tensor | None]:
        ctx.set_materialize_grads(False)
        ctx.calls, ctx.transposed = calls, transposed
        return as_whole(matrix).view_as(matrix), None if bias is None else bias.view_as(bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *_: Tensor | None) -> tuple[Tensor | None, Tensor | None, None, None]:
        if not ctx.calls:
            return None, None, None, None
        inputs, gradients = (torch.cat(parts, dim=-2) for parts in zip(*ctx.calls, strict=True))
        ctx.calls.clear()
        if not ctx.transposed:
            return inputs.transpose(-2, -1) @ gradients, None, None, None
        return weight_gradient(gradients, inputs), gradients.sum(dim=0) if ctx.needs_input_grad[1] else None, None, None


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
