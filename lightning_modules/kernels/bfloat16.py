"""Products in bfloat16: a significand of 8 bits, the range of float32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from lightning_modules.kernels import onednn
from lightning_modules.kernels.rows import filled
from lightning_modules.kernels.scope import Scope
from lightning_modules.kernels.timing import ratio_of_times


class Bfloat16Weight:
    """A weight in bfloat16, packed; inputs and products are rounded to it too, sums are float32.

    Args:
        weight: ``(out, in)``, on the CPU.
    """

    def __init__(self, weight: Tensor) -> None:
        self._packed = torch.ops.mkldnn._reorder_linear_weight(weight.to(torch.bfloat16), 64)

    def product(self, inputs: Tensor, bias: Tensor | None) -> Tensor:
        """The product, in the precision of the inputs; see :meth:`PackedWeight.product`."""
        rounded = filled(inputs.to(torch.bfloat16))
        products: Tensor = torch.ops.mkldnn._linear_pointwise(rounded, self._packed, None, "none", [], "")
        products = products[: len(inputs)].to(inputs.dtype)
        return products if bias is None else products.add_(bias)


def has_packed_products() -> bool:
    """Whether oneDNN packs weights in bfloat16 on this processor, as :class:`Bfloat16Weight` needs."""
    return onednn.has_operations() and torch.ops.mkldnn._is_mkldnn_bf16_supported()


class Bfloat16Products(Scope):
    """Within it, large products of float32 matrices on the CPU round their factors to bfloat16; sums are float32.

    So is what comes out, a product, and the products of its gradients. Small products, and those of a matrix for each
    sentence, stay as they are: of these oneDNN is the slower one.
    """


@contextmanager
def rounding() -> Iterator[None]:
    """Within it, oneDNN makes every product of float32 matrices so: torch's own switch, one for all threads."""
    switch: Any = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]  # torch hides it from type checkers
    before = switch.fp32_precision
    switch.fp32_precision = "bf16"
    try:
        yield
    finally:
        switch.fp32_precision = before


def rounded_product(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``inputs @ weight.t() + bias`` of factors rounded to bfloat16.

    Args:
        inputs: ``(rows, in)``, float32, on the CPU.
        weight: ``(out, in)``.
        bias: ``(out,)``; None for none.

    Returns:
        ``(rows, out)``, float32.
    """
    with rounding():
        products = (filled(inputs) @ weight.t())[: len(inputs)]
    return products if bias is None else products.add_(bias)


def rounded_weight_gradient(gradients: Tensor, inputs: Tensor) -> Tensor:
    """``gradients.t() @ inputs`` of factors rounded to bfloat16, the gradient of a linear layer's weight.

    Args:
        gradients: ``(rows, out)``, float32, on the CPU.
        inputs: ``(rows, in)``.

    Returns:
        ``(out, in)``, float32.
    """
    with rounding():
        return filled(gradients).t() @ filled(inputs)


def bfloat16_gain() -> float:
    """How many times as fast as in float32 large products are in bfloat16 here, by a timing of some 20 ms."""
    inputs, weight = torch.ones(512, 512), torch.ones(2048, 512)  # nothing is drawn: a training draws on
    return ratio_of_times(lambda: inputs @ weight.t(), lambda: rounded_product(inputs, weight))
