"""Products in whole numbers of eight bits."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_modules.kernels.int8_sums import FEW_ROWS, GREATEST, Int8Sums, fastest, greatest_of_inputs

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
    comes out for a row does not depend on the others of its batch, nor on their number, nor on the library that adds.

    Args:
        weight: ``(out, in)``, float32, on the CPU.
        greatest: Of an input's whole numbers; by default the greatest that this processor adds up without a mistake.
    """

    def __init__(self, weight: Tensor, greatest: int | None = None) -> None:
        self._greatest = greatest_of_inputs() if greatest is None else greatest
        self._weight = weight
        self._sums: dict[type[Int8Sums], Int8Sums] = {}

    def product(self, inputs: Tensor, bias: Tensor | None) -> Tensor:
        """The product of whole numbers, scaled; see :meth:`PackedWeight.product`."""
        scales = _scales(inputs, self._greatest)
        sums = self._by(fastest(len(inputs) <= FEW_ROWS)).of(inputs.div(scales).round_())
        return sums.mul_(scales) if bias is None else torch.addcmul(bias, sums, scales)

    def _by(self, library: type[Int8Sums]) -> Int8Sums:
        """The weight as a library lays it out, once."""
        if library not in self._sums:
            numbers, scales = quantised(self._weight)
            self._sums[library] = library(numbers, scales.flatten(), self._greatest)
        return self._sums[library]


def _scales(matrix: Tensor, greatest: int) -> Tensor:
    return matrix.abs().amax(dim=1, keepdim=True).div_(greatest).clamp_(min=_LEAST_SCALE)
