"""What is said of a number that is not known yet: a point, quantiles, or a normal distribution."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

from datamodules.errors import UserError

LEAST_DEVIATION = 1e-3
"""The smallest standard deviation that is predicted, so that no likelihood grows without bound."""


class Likelihood(ABC):
    """What every way to speak of a number offers.

    A number has :attr:`size` parameters, the first of which is its location, in the number's own units: what is added
    to the number is added to that alone.

    Attributes:
        size: Parameters of a number.
    """

    size: int

    @property
    def has_interval(self) -> bool:
        """Whether more than a point is said."""
        return self.size > 1

    @abstractmethod
    def loss(self, parameters: Tensor, gold: Tensor) -> Tensor:
        """What is trained.

        Args:
            parameters: ``(..., size)``.
            gold: ``(...)``.

        Returns:
            ``(...)``, the loss of each number.
        """

    def location(self, parameters: Tensor) -> Tensor:
        """The point forecast, ``(...)``, of parameters ``(..., size)``."""
        return parameters[..., 0]

    def interval(self, parameters: Tensor, level: float) -> tuple[Tensor, Tensor] | None:
        """Where a number lies with a given probability.

        Args:
            parameters: ``(..., size)``.
            level: The probability, between 0 and 1.

        Returns:
            Lower and upper end, each ``(...)``; None where a point is all there is.
        """
        return None

    def crps(self, parameters: Tensor, gold: Tensor) -> Tensor:
        """The continuous ranked probability score (Gneiting and Raftery 2007, section 4.2).

        Args:
            parameters: ``(..., size)``.
            gold: ``(...)``.

        Returns:
            ``(...)``, in the units of the number; of a point the absolute error.
        """
        return (self.location(parameters) - gold).abs()

    def check_level(self, level: float) -> None:
        """Refuses intervals that cannot be given.

        Raises:
            UserError: The level is not between 0 and 1, or nothing is known at its ends.
        """
        if not 0.0 < level < 1.0:
            raise UserError(f"model.init_args.interval is {level}: give a probability between 0 and 1")


class SquaredError(Likelihood):
    """A point, by the squared error: the mean of what may come."""

    size = 1

    def loss(self, parameters: Tensor, gold: Tensor) -> Tensor:
        """``(y - m)^2``; see :meth:`Likelihood.loss`."""
        return (parameters[..., 0] - gold).square()


class AbsoluteError(Likelihood):
    """A point, by the absolute error: the median of what may come."""

    size = 1

    def loss(self, parameters: Tensor, gold: Tensor) -> Tensor:
        """``|y - m|``; see :meth:`Likelihood.loss`."""
        return (parameters[..., 0] - gold).abs()


class Gaussian(Likelihood):
    """A normal distribution, by its negative log-likelihood in nats; its deviation is ``softplus`` of the second."""

    size = 2

    def loss(self, parameters: Tensor, gold: Tensor) -> Tensor:
        """``z^2 / 2 + log s + log(2 pi) / 2`` with ``z = (y - m) / s``; see :meth:`Likelihood.loss`."""
        deviation = self.deviation(parameters)
        score = (gold - parameters[..., 0]) / deviation
        return score.square() / 2.0 + deviation.log() + math.log(2.0 * math.pi) / 2.0

    def deviation(self, parameters: Tensor) -> Tensor:
        """The standard deviation, ``(...)``."""
        return functional.softplus(parameters[..., 1]) + LEAST_DEVIATION

    def interval(self, parameters: Tensor, level: float) -> tuple[Tensor, Tensor]:
        """``m -+ z s``; see :meth:`Likelihood.interval`."""
        half = math.sqrt(2.0) * float(torch.erfinv(torch.tensor(level, dtype=torch.float64)))
        width = half * self.deviation(parameters)
        return parameters[..., 0] - width, parameters[..., 0] + width

    def crps(self, parameters: Tensor, gold: Tensor) -> Tensor:
        """``s (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi))`` (Gneiting and Raftery 2007, equation 21)."""
        deviation = self.deviation(parameters)
        score = (gold - parameters[..., 0]) / deviation
        density = (-score.square() / 2.0).exp() / math.sqrt(2.0 * math.pi)
        within = torch.erf(score / math.sqrt(2.0))
        return deviation * (score * within + 2.0 * density - 1.0 / math.sqrt(math.pi))


class Quantiles(Likelihood):
    """Quantiles, by the pinball loss (Koenker and Bassett 1978): ``max(q (y - x_q), (q - 1) (y - x_q))``, their mean.

    The first parameter is the median. Each other one is how far its quantile lies from its neighbour towards the
    median, by ``softplus``: quantiles never cross.

    Args:
        levels: Probabilities that a number lies below each quantile, rising, 0.5 among them.

    Raises:
        UserError: They are not between 0 and 1, do not rise, or lack 0.5.
    """

    def __init__(self, levels: Sequence[float] = (0.05, 0.25, 0.5, 0.75, 0.95)) -> None:
        self.levels = tuple(levels)
        if not all(low < high for low, high in pairwise((0.0, *self.levels, 1.0))) or 0.5 not in self.levels:
            raise UserError(
                f"levels of Quantiles are {list(self.levels)}: give rising probabilities between 0 and 1, and 0.5 "
                "among them"
            )
        self.size = len(self.levels)
        self._median = self.levels.index(0.5)

    def settings(self) -> dict[str, list[float]]:
        """The constructor's arguments by name."""
        return {"levels": list(self.levels)}

    def quantiles(self, parameters: Tensor) -> Tensor:
        """``(..., size)``, rising, of parameters ``(..., size)``."""
        median, gaps = parameters[..., :1], functional.softplus(parameters[..., 1:])
        below = median - gaps[..., : self._median].cumsum(dim=-1)
        above = median + gaps[..., self._median :].cumsum(dim=-1)
        return torch.cat([below.flip(-1), median, above], dim=-1)

    def loss(self, parameters: Tensor, gold: Tensor) -> Tensor:
        """The mean over the levels; see :meth:`Likelihood.loss`."""
        return self._pinball(parameters, gold).mean(dim=-1)

    def interval(self, parameters: Tensor, level: float) -> tuple[Tensor, Tensor]:
        """Two of the quantiles; see :meth:`Likelihood.interval`."""
        quantiles = self.quantiles(parameters)
        lower, upper = self._ends(level)
        return quantiles[..., lower], quantiles[..., upper]

    def crps(self, parameters: Tensor, gold: Tensor) -> Tensor:
        """``2 int_0^1 pinball_q dq`` (Gneiting and Raftery 2007, section 4.2), by the midpoint rule over the levels."""
        borders = [0.0, *((low + high) / 2.0 for low, high in pairwise(self.levels)), 1.0]
        weights = gold.new_tensor([high - low for low, high in pairwise(borders)])
        return 2.0 * (self._pinball(parameters, gold) * weights).sum(dim=-1)

    def check_level(self, level: float) -> None:
        """Refuses intervals whose ends are no quantiles; see :meth:`Likelihood.check_level`."""
        super().check_level(level)
        self._ends(level)

    def _pinball(self, parameters: Tensor, gold: Tensor) -> Tensor:
        difference = gold[..., None] - self.quantiles(parameters)
        levels = gold.new_tensor(self.levels)
        return torch.maximum(levels * difference, (levels - 1.0) * difference)

    def _ends(self, level: float) -> tuple[int, int]:
        wanted = (1.0 - level) / 2.0, (1.0 + level) / 2.0
        found = [next((i for i, each in enumerate(self.levels) if math.isclose(each, end)), None) for end in wanted]
        if found[0] is None or found[1] is None:
            raise UserError(
                f"model.init_args.interval is {level}, whose ends are the quantiles {wanted[0]:.4g} and "
                f"{wanted[1]:.4g}: add them to the levels of Quantiles, or give another interval"
            )
        return found[0], found[1]
