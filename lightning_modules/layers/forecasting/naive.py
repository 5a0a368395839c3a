"""Forecasts that are a value of the past: what any other has to beat (Hyndman and Athanasopoulos 2021, section 5.2)."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

from datamodules.errors import UserError
from lightning_modules.layers.checks import check_sizes
from lightning_modules.layers.forecasting.network import DirectNetwork
from lightning_modules.layers.forecasting.offset import last_known


class NaiveNetwork(DirectNetwork):
    """A value of the past as the location. What is learnt is how far from it the truth is, for each step and column.

    Args:
        window: Steps that are read; the model gives it.
        horizon: Steps to predict; the model gives it.
        columns: Columns; the model gives it.
        parameters: Parameters of a number; the model gives it.

    Raises:
        UserError: A number has a location alone, so that there is nothing to learn.
    """

    def __init__(self, window: int, horizon: int, columns: int, parameters: int) -> None:
        super().__init__()
        if parameters < 2:
            raise UserError(
                f"{type(self).__name__} has nothing to learn of a point: set model.init_args.likelihood to Gaussian, "
                "whose deviation it learns; its mean is a value of the past all the same"
            )
        self.shape = (horizon, columns, parameters - 1)
        self.spread = nn.Parameter(torch.zeros(horizon * columns * (parameters - 1)))

    def forward(self, past: Tensor, known: Tensor) -> Tensor:
        """Predicts; see :meth:`DirectNetwork.forward`."""
        location = self.location(past, known)[..., None]
        spread = self.spread.view(1, *self.shape).expand(len(past), -1, -1, -1)
        return torch.cat([location, spread], dim=-1)

    @abstractmethod
    def location(self, past: Tensor, known: Tensor) -> Tensor:
        """The point forecast ``(b, h, c)``, of what :meth:`forward` takes."""


class LastValue(NaiveNetwork):
    """The last known value, for every step; 0, the mean, where nothing is known."""

    def location(self, past: Tensor, known: Tensor) -> Tensor:
        """See :meth:`NaiveNetwork.location`."""
        return last_known(past, known).expand(-1, self.shape[0], -1)


class SeasonalValue(NaiveNetwork):
    """The value one period before, as that of the same hour of the day before; over and over where steps go on.

    Where it is missing the value of the period before that is taken, and so on; then the last known value.

    Args:
        window: Steps that are read; the model gives it.
        horizon: Steps to predict; the model gives it.
        columns: Columns; the model gives it.
        parameters: Parameters of a number; the model gives it.
        period: Steps of a period, at most as many as are read: 24 for a day of hours.

    Raises:
        UserError: The period is below 1 or longer than the window, or a number has a location alone.
    """

    def __init__(self, window: int, horizon: int, columns: int, parameters: int, period: int = 24) -> None:
        super().__init__(window, horizon, columns, parameters)
        check_sizes(self, period=period)
        if period > window:
            raise UserError(
                f"period of SeasonalValue is {period}, but {window} steps are read: raise data.init_args.window"
            )
        self.period = period

    def location(self, past: Tensor, known: Tensor) -> Tensor:
        """See :meth:`NaiveNetwork.location`."""
        found = last_known(past, known).expand(-1, self.period, -1)
        before = (0, 0, -past.shape[1] % self.period, 0)  # whole periods: what was before the first step is missing
        periods = (functional.pad(each, before).split(self.period, dim=1) for each in (past, known))
        for of_period, is_known in zip(*periods, strict=True):
            found = torch.where(is_known, of_period, found)
        repeats = -(-self.shape[0] // self.period)
        return found.repeat(1, repeats, 1)[:, : self.shape[0]]
