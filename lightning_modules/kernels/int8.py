"""Products in whole numbers of eight bits."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from lightning_modules.kernels.rows import filled

GREATEST = 127
"""Of the whole numbers; as many below 0 as above, so that 0 is 0."""

_ZERO = 128
"""What stands for 0 among an input's numbers, which processors want to be from 0 to 255."""

_LEAST_SCALE = 1e-30
"""Of a row of zeros, which nothing can be divided by else."""


def quantised(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """A matrix as whole numbers, and what each row of them is to be multiplied by.

    Args:
        matrix: ``(rows, columns)``, float32.

    Returns:
        ``(rows, columns)``, int8, of which the greatest of each row is 127 or -127; and ``(rows, 1)``, float32.
    """
    scales = _scales(matrix)
    return matrix.div(scales).round_().to(torch.int8), scales


class Int8Weight:
    """A weight as whole numbers with a scale for each row, multiplied by inputs that are made such row by row.

    ``y_ij = s_i t_j sum_k p_ik q_jk``, where ``p`` and ``s`` are the input's and ``q`` and ``t`` the weight's, each
    scale the greatest value of its row over 127. The sum is of whole numbers, and exact: so what comes out for a row
    does not depend on the others of its batch, nor on their number.

    Args:
        weight: ``(out, in)``, float32, on the CPU.
    """

    def __init__(self, weight: Tensor) -> None:
        numbers, scales = quantised(weight)
        self._scales = scales.flatten()
        self._numbers = torch.ops.onednn.qlinear_prepack(numbers, None)
        self._zeros = torch.zeros(len(weight), dtype=torch.int64)

    def product(self, inputs: Tensor, bias: Tensor | None) -> Tensor:
        """The product of whole numbers, scaled; see :meth:`PackedWeight.product`."""
        scales = _scales(inputs)
        numbers = inputs.div(scales).round_().add_(_ZERO).to(torch.uint8)
        sums = self.sums(filled(numbers))[: len(inputs)]
        return sums.mul_(scales) if bias is None else torch.addcmul(bias, sums, scales)

    def sums(self, numbers: Tensor) -> Tensor:
        """The sums of products, scaled by the weight's scales.

        Args:
            numbers: ``(rows, in)``, uint8, 128 above those that are meant.

        Returns:
            ``(rows, out)``, float32.
        """
        sums: Tensor = torch.ops.onednn.qlinear_pointwise(
            numbers, 1.0, _ZERO, self._numbers, self._scales, self._zeros, None, 1.0, 0, torch.float32, "none", [], ""
        )
        return sums


@cache
def is_exact() -> bool:
    """Whether this processor adds up products of whole numbers without a mistake, and torch has the operation.

    One without VNNI adds two products in 16 bits, which is not enough for the greatest ones.
    """
    if not (torch.backends.mkldnn.is_available() and _has_operations()):
        return False
    weight = torch.full((32, 64), float(GREATEST))
    sums = Int8Weight(weight).sums(torch.full((8, 64), 255, dtype=torch.uint8))
    return bool((sums == 64 * GREATEST * GREATEST).all())


@cache
def _has_operations() -> bool:
    return all(hasattr(torch.ops.onednn, name) for name in ("qlinear_prepack", "qlinear_pointwise"))


def _scales(matrix: Tensor) -> Tensor:
    return matrix.abs().amax(dim=1, keepdim=True).div_(GREATEST).clamp_(min=_LEAST_SCALE)
