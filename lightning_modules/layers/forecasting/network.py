"""Direct forecasts: all steps to predict at once, from the steps before (Chevillon 2007)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor, nn


class DirectNetwork(nn.Module, ABC):
    """What every network offers that predicts all steps at once.

    Letters: b batch, w steps that are read, h steps to predict, c columns, p parameters of a number.
    """

    @abstractmethod
    def forward(self, past: Tensor, known: Tensor) -> Tensor:
        """Predicts.

        Args:
            past: ``(b, w, c)``, 0 where a value is missing.
            known: ``(b, w, c)``, bool: where there is a value.

        Returns:
            ``(b, h, c, p)``, of which the first parameter is the location.
        """


NetworkFactory = Callable[[int, int, int, int], DirectNetwork]
"""Makes a network of (w, h, c, p)."""
