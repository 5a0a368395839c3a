"""Matrix products by whatever multiplies fastest on the CPU."""

from __future__ import annotations

import platform
from contextvars import ContextVar, Token
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

LEAST_MULTIPLICATIONS = 2**20
"""What is smaller takes less time than the way to oneDNN."""

LEAST_PACKED_VALUES = 2**17
"""What is smaller is not worth to be packed."""

CPU_INFO = Path("/proc/cpuinfo")
"""Where Linux tells who made the processor."""

_PACKED_FOR = 64
"""Rows that weights are packed for: oneDNN lays them out alike for all numbers but 1."""


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
    if not weight.is_mkldnn:
        if not is_for_onednn(inputs, weight):
            return functional.linear(inputs, weight, bias)
        weight = as_whole(weight)
    return torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "none", [], "")


def weight_gradient(gradients: Tensor, inputs: Tensor) -> Tensor:
    """``gradients.t() @ inputs``, the gradient of a linear layer's weight.

    Args:
        gradients: ``(rows, out)``, of the layer's outputs.
        inputs: ``(rows, in)``.

    Returns:
        ``(out, in)``, contiguous.
    """
    if not is_for_onednn(gradients.t(), inputs.t()):
        return gradients.t() @ inputs
    if len(inputs) < inputs.shape[1]:  # what is copied is the smaller one of the gradients and the result
        return product(gradients.t(), inputs.t())
    return product(inputs.t(), gradients.t()).t().contiguous()


def packed(weight: Tensor) -> Tensor:
    """A weight for several products: a copy as oneDNN lays it out, which it would else do anew each time.

    Args:
        weight: ``(out, in)``.

    Returns:
        What :func:`product` takes in its place; the weight itself where that is not for oneDNN, or small.
    """
    if weight.numel() < LEAST_PACKED_VALUES or not _suits(weight):
        return weight
    return torch.ops.mkldnn._reorder_linear_weight(as_whole(weight.detach()), _PACKED_FOR)


def as_whole(matrix: Tensor) -> Tensor:
    """The matrix, copied where it is a part of a wider one: oneDNN has no kernel for such.

    Args:
        matrix: ``(..., out, in)``.
    """
    return matrix if matrix.is_contiguous() or matrix.transpose(-2, -1).is_contiguous() else matrix.contiguous()


class PackedWeights:
    """Within it, and without gradients, a linear layer packs its weight at its first product; see :func:`packed`.

    For what multiplies with the same weights again and again, as a search does. Within another one, it is that one.
    Every weight that comes is kept until the end: what is made anew for each batch does not belong here.
    """

    _current: ContextVar[PackedWeights | None] = ContextVar("packed weights", default=None)

    def __init__(self) -> None:
        self._weights: dict[tuple[object, ...], tuple[tuple[Tensor, ...], Tensor]] = {}
        self._tokens: list[Token[PackedWeights | None]] = []

    def __enter__(self) -> Self:
        self._tokens.append(self._current.set(self._current.get() or self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._current.reset(self._tokens.pop())

    @classmethod
    def of(cls, *weights: Tensor) -> Tensor | None:
        """The weights side by side as one, packed where that is to be; None where nothing is to be kept.

        Args:
            weights: Each ``(out, in_i)``; what was made of them is kept until one of them changes.
        """
        current = cls._current.get()
        if current is None or torch.is_grad_enabled():
            return None
        key = tuple(
            (each.data_ptr(), each.shape, each.stride(), None if each.is_inference() else each._version)
            for each in weights
        )
        if key not in current._weights:
            whole = torch.cat(weights, dim=1) if len(weights) > 1 else weights[0]
            current._weights[key] = weights, packed(whole)  # kept, so that no other can lie in the same place
        return current._weights[key][1]


def is_for_onednn(inputs: Tensor, weight: Tensor) -> bool:
    """Whether a product of ``(rows, in)`` and ``(out, in)`` is faster by oneDNN: a large one on AMD's processors."""
    return is_by_amd() and _is_large(inputs, weight) and _suits(inputs) and _suits(weight)


def is_for_packing(inputs: Tensor, weight: Tensor) -> bool:
    """Whether a product is faster with a packed weight: a large one, of a single row on AMD's processors alone."""
    return (len(inputs) > 1 or is_by_amd()) and _is_large(inputs, weight) and _suits(inputs)


def _is_large(inputs: Tensor, weight: Tensor) -> bool:
    return inputs.numel() * len(weight) >= LEAST_MULTIPLICATIONS


@cache
def is_by_amd() -> bool:
    """Whether AMD made the processor, as it says itself; False where it does not say."""
    return "AuthenticAMD" in (CPU_INFO.read_text(encoding="utf-8") if CPU_INFO.exists() else platform.processor())


def _suits(matrix: Tensor) -> bool:
    return (
        matrix.dtype == torch.float32
        and matrix.device.type == "cpu"
        and bool(torch.backends.mkldnn.enabled)
        and torch.backends.mkldnn.is_available()
    )
