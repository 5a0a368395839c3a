"""Dropout whose random numbers do not hold the processor up."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_LEVELS = 2**16


class Dropout(nn.Dropout):
    """Dropout (Srivastava et al. 2014), on the CPU with 16 random bits for each value.

    On processors without Intel's random generators torch draws every value alone and on one core, which took a tenth
    of a training step. Four values share one draw of 64 bits here; the probability is rounded to a 65,536th.

    Args:
        p: Probability of a value to be zeroed in training; the others are divided by ``1 - p``.
    """

    def __init__(self, p: float = 0.0) -> None:
        super().__init__(p)
        self.dropped_levels = min(round(p * _LEVELS), _LEVELS - 1) if p < 1 else _LEVELS

    def forward(self, input: Tensor) -> Tensor:
        """Drops values of a tensor of any shape; the result has the same shape."""
        if not self.training:
            return input
        if not (0 < self.dropped_levels < _LEVELS and input.device.type == "cpu"):
            return super().forward(input)
        draws = torch.empty(-(-input.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        levels = draws.view(torch.int16)[: input.numel()].view(input.shape)
        kept = levels >= self.dropped_levels - _LEVELS // 2
        return input * kept.to(input.dtype).mul_(_LEVELS / (_LEVELS - self.dropped_levels))
