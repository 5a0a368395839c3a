"""Products in bfloat16: eight bits of a fraction, the range of float32."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_modules.kernels.rows import filled


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
