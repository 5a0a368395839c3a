"""DLinear: one linear map of what changes slowly, another of the rest."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from datamodules.errors import UserError
from lightning_modules.kernels.linear import Linear
from lightning_modules.layers.checks import check_sizes
from lightning_modules.layers.forecasting.network import DirectNetwork


class DLinear(DirectNetwork):
    """A trend, by a moving average, and what is left, each by a linear map over time (Zeng et al. 2023, section 4).

    ``t = mean(x_(i-k/2) ... x_(i+k/2))`` with the first and the last value repeated beyond the ends,
    ``y = W_t t + W_s (x - t) + b``; the same maps for every column.

    Args:
        window: Steps that are read; the model gives it.
        horizon: Steps to predict; the model gives it.
        columns: Columns; the model gives it.
        parameters: Parameters of a number; the model gives it.
        kernel_size: Steps that the moving average is over, odd.

    Raises:
        UserError: The kernel is below 1, or even.
    """

    def __init__(self, window: int, horizon: int, columns: int, parameters: int, kernel_size: int = 25) -> None:
        super().__init__()
        check_sizes(self, kernel_size=kernel_size)
        if kernel_size % 2 == 0:
            raise UserError(f"kernel_size of DLinear is {kernel_size}: give an odd number")
        self.kernel_size, self.horizon = kernel_size, horizon
        self.trend = Linear(window, horizon * parameters)
        self.seasonal = Linear(window, horizon * parameters)

    def forward(self, past: Tensor, known: Tensor) -> Tensor:
        """Predicts; see :meth:`DirectNetwork.forward`. A missing value counts as 0."""
        values = past.transpose(1, 2)
        trend = self.moving_average(values)
        predicted = self.trend(trend) + self.seasonal(values - trend)
        return predicted.unflatten(-1, (self.horizon, -1)).transpose(1, 2)

    def moving_average(self, values: Tensor) -> Tensor:
        """The trend ``(b, c, w)`` of values ``(b, c, w)``."""
        beyond = self.kernel_size // 2
        first, last = values[..., :1].expand(-1, -1, beyond), values[..., -1:].expand(-1, -1, beyond)
        return functional.avg_pool1d(torch.cat([first, values, last], dim=-1), self.kernel_size, stride=1)
