"""What forecasts are measured by: errors for each step ahead, and whether intervals hold what they promise."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed
from torch import Tensor

from lightning_modules.layers.forecasting.likelihood import Likelihood
from lightning_modules.metrics import Scale

SCALES = {
    "loss": Scale("loss per number", "lower"),
    "mse": Scale("mean squared error, standardised", "lower"),
    "mae": Scale("mean absolute error, standardised", "lower"),
    "crps": Scale("CRPS, standardised", "lower"),
    "coverage": Scale("share of the truth in the interval"),
    "width": Scale("width of the interval, standardised"),
}
"""The scores, and how each is read; the last two are of intervals."""

BY_STEP = ("mse", "mae")
"""The scores that are also told for single steps."""


class ForecastScores:
    """Means over all known numbers, of all batches and processes.

    Sums are of this process, in double precision, as those of :class:`lightning_modules.metrics.PerTokenLoss`.

    Args:
        likelihood: What is said of a number.
        interval: The probability of an interval.
        horizon: Steps to predict.
        steps: Steps, counted from 1, whose errors are also told alone.
    """

    def __init__(self, likelihood: Likelihood, interval: float, horizon: int, steps: Sequence[int]) -> None:
        self._likelihood, self._interval, self._steps = likelihood, interval, steps
        self._names = [name for name in SCALES if likelihood.has_interval or name not in ("coverage", "width")]
        self._sums = torch.zeros(len(self._names) + 1, horizon, dtype=torch.float64)

    def names(self) -> dict[str, Scale]:
        """The scores that :meth:`compute` gives, and how each is read."""
        single = {f"{name}_step_{step}": SCALES[name] for name in BY_STEP for step in self._steps}
        return {name: SCALES[name] for name in self._names} | single

    def update(self, parameters: Tensor, gold: Tensor, known: Tensor) -> Tensor:
        """Adds a batch.

        Args:
            parameters: ``(batch, h, c, p)``.
            gold: ``(batch, h, c)``.
            known: ``(batch, h, c)``, bool: where there is a value.

        Returns:
            Scalar, the summed loss of the batch.
        """
        error = self._likelihood.location(parameters) - gold
        scores = [
            self._likelihood.loss(parameters, gold),
            error.square(),
            error.abs(),
            self._likelihood.crps(parameters, gold),
        ]
        interval = self._likelihood.interval(parameters, self._interval)
        if interval is not None:
            lower, upper = interval
            scores += [((lower <= gold) & (gold <= upper)).to(gold.dtype), upper - lower]
        each = torch.stack([*scores, torch.ones_like(gold)])
        each = each.to(torch.promote_types(each.dtype, torch.float32))
        sums = torch.where(known, each, 0.0).sum(dim=(1, 3))
        self._sums += sums.cpu().double()
        return sums[0].sum()

    def compute(self) -> dict[str, float]:
        """The scores by name; every process has to ask for them. NaN where no number was seen."""
        sums = self._over_processes()
        counts = sums[-1]
        means = sums[:-1].sum(dim=1) / counts.sum()
        found = dict(zip(self._names, means.tolist(), strict=True))
        for name in BY_STEP:
            by_step = sums[self._names.index(name)] / counts
            found |= {f"{name}_step_{step}": float(by_step[step - 1]) for step in self._steps}
        return found

    def reset(self) -> None:
        """Forgets what was added."""
        self._sums.zero_()

    def _over_processes(self) -> Tensor:
        shares = [self._sums]
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            shares = shares * torch.distributed.get_world_size()
            torch.distributed.all_gather_object(shares, self._sums)
        return torch.stack(shares).sum(dim=0)
