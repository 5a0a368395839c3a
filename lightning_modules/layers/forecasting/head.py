"""The head of a decoder that predicts numbers with what is not known about them."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_modules.layers.forecasting.likelihood import Likelihood
from lightning_modules.layers.heads import Attended, Feedback, Head


class ForecastHead(Head):
    """The parameters of each column's likelihood, ``W h + b``; a missing number has no loss.

    Args:
        input_size: Width of what is projected.
        columns: Columns to predict, c.
        likelihood: What is said of a number, by p parameters.
    """

    def __init__(self, input_size: int, columns: int, likelihood: Likelihood) -> None:
        super().__init__(input_size, columns * likelihood.size)
        self.columns = columns
        self.likelihood = likelihood

    @property
    def predicted_size(self) -> int:
        """The columns, and which of them are missing; see :attr:`Head.predicted_size`."""
        return 2 * self.columns

    def parameters_of(self, hidden: Tensor) -> Tensor:
        """``(..., c, p)`` of ``(..., input_size)``."""
        return self(hidden).unflatten(-1, (self.columns, -1))

    def loss(self, hidden: Tensor, gold: Tensor, attended: Attended | None = None) -> tuple[Tensor, Tensor, int]:
        """The likelihood's loss over the numbers that are known; see :meth:`Head.loss`.

        Args:
            hidden: ``(n, input_size)``.
            gold: ``(n, 2 c)``: the values, and 1 for each that is missing, else 0.
            attended: Nothing is copied.
        """
        values, missing = gold.chunk(2, dim=-1)
        losses = self.likelihood.loss(self.parameters_of(hidden), values)
        known = missing == 0
        loss = torch.where(known, losses, 0.0).sum()
        return loss, loss.detach(), int(known.sum())

    @torch.no_grad()
    def predict(self, hidden: Tensor, feedback: Feedback, attended: Attended | None = None) -> Tensor:
        """The locations, none of which is missing, ``(n, 2 c)``, whatever the feedback; see :meth:`Head.predict`."""
        location = self.likelihood.location(self.parameters_of(hidden))
        return torch.cat([location, torch.zeros_like(location)], dim=-1)
