"""Products in whole numbers of eight bits."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from lightning_modules.kernels.rows import filled

GREATEST = 127
"""Of a weight's whole numbers; as many below 0 as above, so that 0 is 0."""

_OF_INPUTS = (GREATEST, 63)
"""What the greatest of an input's whole numbers may be: of eight bits, or of seven, of which two products with a
weight's fit into 16 bits. All processors want them above 0: what stands for 0 is one more than the greatest."""

_LEAST_SCALE = 1e-30
"""Of a row of zeros, which nothing can be divided by else."""


def quantised(matrix: Tensor, greatest: int = GREATEST) -> tuple[Tensor, Tensor]:
    """A matrix as whole numbers, and what each row of them is to be multiplied by.

    Args:
        matrix: ``(rows, columns)``, float32.
        greatest: What the greatest of each row becomes, or its negative.

    Returns:
        ``(rows, columns)``, int8; and ``(rows, 1)``, float32.
    """
    scales = _scales(matrix, greatest)
    return matrix.div(scales).round_().to(torch.int8), scales


class Int8Weight:
    """A weight as whole numbers with a scale for each row, multiplied by inputs that are made such row by row.

    ``y_ij = s_i t_j sum_k p_ik q_jk``, where ``p`` and ``s`` are the input's and ``q`` and ``t`` the weight's, each
    scale the greatest value of its row over the greatest whole number. The sum is of whole numbers, and exact: so what
    comes out for a row does not depend on the others of its batch, nor on their number.

    Args:
        weight: ``(out, in)``, float32, on the CPU.
        greatest: Of an input's whole numbers; by default the greatest that this processor adds up without a mistake.
    """

    def __init__(self, weight: Tensor, greatest: int | None = None) -> None:
        self._greatest = greatest_of_inputs() if greatest is None else greatest
        numbers, scales = quantised(weight)
        self._scales = scales.flatten()
        self._numbers = torch.ops.onednn.qlinear_prepack(numbers, None)
        self._zeros = torch.zeros(len(weight), dtype=torch.int64)

    def product(self, inputs: Tensor, bias: Tensor | None) -> Tensor:
        """The product of whole numbers, scaled; see :meth:`PackedWeight.product`."""
        scales = _scales(inputs, self._greatest)
        numbers = inputs.div(scales).round_().add_(self._greatest + 1).to(torch.uint8)
        sums = self.sums(filled(numbers))[: len(inputs)]
        return sums.mul_(scales) if bias is None else torch.addcmul(bias, sums, scales)

    def sums(self, numbers: Tensor) -> Tensor:
        """The sums of products, scaled by the weight's scales.

        Args:
            numbers: ``(rows, in)``, uint8, above those that are meant by one more than the greatest of them.

        Returns:
            ``(rows, out)``, float32.
        """
        sums: Tensor = torch.ops.onednn.qlinear_pointwise(
            numbers,
            1.0,
            self._greatest + 1,
            self._numbers,
            self._scales,
            self._zeros,
            None,
            1.0,
            0,
            torch.float32,
            "none",
            [],
            "",
        )
        return sums


@cache
def greatest_of_inputs() -> int:
    """The greatest of an input's whole numbers of which this processor adds up products without a mistake; 0 for none.

    One without VNNI adds two products in 16 bits, which is not enough for the greatest ones of eight bits each.
    """
    if not (torch.backends.mkldnn.is_available() and _has_operations()):
        return 0
    return next((greatest for greatest in _OF_INPUTS if _adds_up(greatest)), 0)


def _adds_up(greatest: int) -> bool:
    """Whether the sums of the greatest products are right."""
    weight = Int8Weight(torch.full((32, 64), float(GREATEST)), greatest)
    sums = weight.sums(torch.full((8, 64), 2 * greatest + 1, dtype=torch.uint8))
    return bool((sums == 64 * GREATEST * greatest).all())


@cache
def _has_operations() -> bool:
    return all(hasattr(torch.ops.onednn, name) for name in ("qlinear_prepack", "qlinear_pointwise"))


def _scales(matrix: Tensor, greatest: int) -> Tensor:
    return matrix.abs().amax(dim=1, keepdim=True).div_(greatest).clamp_(min=_LEAST_SCALE)
