"""Loops whose matrices get their gradient once, after the last step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from lightning_modules.layers.linear import joint_linear, linear
from lightning_modules.layers.products import as_whole, packed, product, weight_gradient

_PRODUCTS = (torch.matmul, torch.Tensor.matmul, torch.Tensor.__matmul__)
"""What ``@`` may be called."""

_Calls = list[tuple[Tensor, Tensor]]
"""Inputs ``(..., rows, in)`` and output gradients ``(..., rows, out)`` of the calls that the backward pass has been
through."""


class GatheredGradients(TorchFunctionMode):
    """Within it, a matrix that is multiplied again and again gets one gradient for all its products.

    For each call of :func:`linear`, and of ``nn.Linear`` as well, autograd makes a product
    ``(in, rows) x (rows, out)`` and adds it to the weight's gradient. In a loop over a target, with a batch of some
    rows, that moves the whole matrix through the memory at each step. Here the calls of one weight leave their inputs
    and output gradients, and when the backward pass comes back to the weight itself, one product over the rows of all
    of them makes the same sum. So it is for ``inputs @ memory``, where each sentence has a matrix of its own. The
    parts of a :func:`joint_linear` are laid side by side once.

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
            if func is joint_linear:
                return self._joint_linear(*args, **(kwargs or {}))
            if func in _PRODUCTS:
                return self._multiply(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    def _linear(self, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        if not _pays(input, weight):
            return linear(input, weight, bias)
        return self._of((weight,), bias, transposed=True)(input.flatten(0, -2)).unflatten(0, input.shape[:-1])

    def _joint_linear(self, inputs: Sequence[Tensor], weights: Sequence[Tensor], bias: Tensor | None = None) -> Tensor:
        if not all(_pays(*pair) for pair in zip(inputs, weights, strict=True)):
            return joint_linear(inputs, weights, bias)
        joined = torch.cat(list(inputs), dim=-1)
        return self._of(weights, bias, transposed=True)(joined.flatten(0, -2)).unflatten(0, joined.shape[:-1])

    def _multiply(self, input: Tensor, other: Tensor) -> Tensor:
        is_matrix = min(input.dim(), other.dim()) > 1 and input.shape[:-2] == other.shape[:-2]
        if not is_matrix or not _pays(input, other):
            return input @ other
        return self._of((other,), None, transposed=False)(input)

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
