"""Matrix products by whatever multiplies fastest on the CPU."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.kernels.bfloat16 import Bfloat16Products, rounded_product, rounded_weight_gradient

LEAST_MULTIPLICATIONS = 2**20
"""What is smaller takes less time than the way to oneDNN."""

LEAST_ROUNDED = 2**27
"""Multiplications of a product that is worth to be rounded for: of smaller ones the rows that fill it up cost more."""

LEAST_PACKED_VALUES = 2**17
"""What is smaller is not worth to be packed."""

CPU_INFO = Path("/proc/cpuinfo")
"""Where Linux tells who made the processor."""

_PACKED_FOR = 64
"""Rows that weights are packed for: oneDNN lays them out alike for all numbers but 1."""

MOST_PACKED_ROWS = 64
"""With more rows MKL is as fast on its own processors, and needs no kernel for each number of rows."""

_ROW_STEP = 8
"""oneDNN makes a kernel for each number of rows, in a third of a millisecond: so some rows are filled up to a multiple
of this. Fewer than that take longer if they are filled up."""


def product(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``inputs @ weight.t() + bias``, without a gradient.

    torch multiplies float32 matrices on an x86 CPU by MKL, and takes oneDNN for convolutions and recurrent layers. On
    AMD's processors MKL leaves AVX-512 aside: oneDNN takes half of its time for large matrices, and a third for a
    handful of rows. On Intel's, MKL is the faster one, but for packed weights. The operation is the one that torch's
    own compiler emits for a linear layer. Results differ by rounding. ``torch.backends.mkldnn.enabled = False`` turns
    it off.

    Args:
        inputs: ``(rows, in)``.
        weight: ``(out, in)``, or from :func:`packed`; a part of a wider matrix is copied.
        bias: ``(out,)``; None for none.

    Returns:
        ``(rows, out)``, contiguous.
    """
    if is_for_bfloat16(inputs, weight):
        return rounded_product(inputs, weight, bias)
    if not weight.is_mkldnn:
        if not is_for_onednn(inputs, weight):
            return functional.linear(inputs, weight, bias)
        weight = as_whole(weight)
    rows = len(inputs)
    if weight.is_mkldnn and _ROW_STEP < rows <= MOST_PACKED_ROWS and rows % _ROW_STEP:
        return _onednn(functional.pad(inputs, (0, 0, 0, -rows % _ROW_STEP)), weight, bias)[:rows]
    return _onednn(inputs, weight, bias)


def _onednn(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    products: Tensor = torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "none", [], "")
    return products


def weight_gradient(gradients: Tensor, inputs: Tensor) -> Tensor:
    """``gradients.t() @ inputs``, the gradient of a linear layer's weight.

    Args:
        gradients: ``(rows, out)``, of the layer's outputs.
        inputs: ``(rows, in)``.

    Returns:
        ``(out, in)``, contiguous.
    """
    if is_for_bfloat16(gradients.t(), inputs.t()):
        return rounded_weight_gradient(gradients, inputs)
    if not is_for_onednn(gradients.t(), inputs.t()):
        return gradients.t() @ inputs
    if len(inputs) < inputs.shape[1]:  # what is copied is the smaller one of the gradients and the result
        return product(gradients.t(), inputs.t())
    return product(inputs.t(), gradients.t()).t().contiguous()


def packed(weight: Tensor) -> Tensor:
    """A weight for several products: a copy as oneDNN lays it out, which it would else do anew each time.

    Of products in bfloat16 it is no part.

    Args:
        weight: ``(out, in)``.

    Returns:
        What :func:`product` takes in its place; the weight itself where that is not for oneDNN, or small.
    """
    if weight.numel() < LEAST_PACKED_VALUES or not suits(weight) or Bfloat16Products.current() is not None:
        return weight
    return torch.ops.mkldnn._reorder_linear_weight(as_whole(weight.detach()), _PACKED_FOR)


def as_whole(matrix: Tensor) -> Tensor:
    """The matrix, copied where it is a part of a wider one: oneDNN has no kernel for such.

    Args:
        matrix: ``(..., out, in)``.
    """
    return matrix if matrix.is_contiguous() or matrix.transpose(-2, -1).is_contiguous() else matrix.contiguous()


def is_for_onednn(inputs: Tensor, weight: Tensor) -> bool:
    """Whether a product of ``(rows, in)`` and ``(out, in)`` is faster by oneDNN: a large one on AMD's processors."""
    return is_by_amd() and is_large(inputs, weight) and suits(inputs) and suits(weight)


def is_for_bfloat16(inputs: Tensor, weight: Tensor) -> bool:
    """Whether a product of ``(rows, in)`` and ``(out, in)`` is to be made in bfloat16, and is large enough to be."""
    return (
        Bfloat16Products.current() is not None
        and not weight.is_mkldnn
        and inputs.numel() * len(weight) >= LEAST_ROUNDED
        and suits(inputs)
        and suits(weight)
    )


def is_large(inputs: Tensor, weight: Tensor) -> bool:
    """Whether a product of ``(rows, in)`` and ``(out, in)`` takes longer than the way to oneDNN."""
    return inputs.numel() * len(weight) >= LEAST_MULTIPLICATIONS


@cache
def is_by_amd() -> bool:
    """Whether AMD made the processor, as it says itself; False where it does not say."""
    return "AuthenticAMD" in (CPU_INFO.read_text(encoding="utf-8") if CPU_INFO.exists() else platform.processor())


def suits(matrix: Tensor) -> bool:
    """Whether oneDNN takes a matrix here: float32 on the CPU."""
    return (
        matrix.dtype == torch.float32
        and matrix.device.type == "cpu"
        and bool(torch.backends.mkldnn.enabled)
        and torch.backends.mkldnn.is_available()
        and has_operations()
    )


@cache
def has_operations() -> bool:
    """Whether this torch has the operations, which are private: without them its plain ones are taken."""
    return all(hasattr(torch.ops.mkldnn, name) for name in ("_linear_pointwise", "_reorder_linear_weight"))
