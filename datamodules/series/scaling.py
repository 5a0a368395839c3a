"""Standardisation: every column with mean 0 and standard deviation 1 over the training rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from datamodules.errors import UserError
from datamodules.series.table import SeriesTable

_LARGEST, _SMALLEST = 1e100, 1e-100
"""Beyond these the squares of numbers, which deviations are made of, are infinite or 0."""


@dataclass(frozen=True)
class Scaling:
    """Mean and standard deviation of columns.

    Attributes:
        names: The columns.
        mean: ``(columns,)``, in the data's units.
        deviation: ``(columns,)``, likewise, above 0.
    """

    names: Sequence[str]
    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, table: SeriesTable, rows: range) -> Scaling:
        """Measures the known values of some rows.

        Args:
            table: The series.
            rows: The training rows.

        Raises:
            UserError: A column has no value there, or one alone, or values whose deviation no number can tell.
        """
        values = table.values[rows.start : rows.stop]
        for name, column in zip(table.names, values.T, strict=True):
            known = column[~np.isnan(column)]
            if not len(known) or (known == known[0]).all():
                told = f"always {known[0]:g}" if len(known) else "always missing"
                raise UserError(
                    f"{table.place}: the column {name} is {told} in the {len(values):,} training rows, and nothing can "
                    "be learnt of it: leave it out"
                )
            if (largest := np.abs(known).max()) > _LARGEST or np.abs(known - known[0]).max() < _SMALLEST:
                raise UserError(
                    f"{table.place}: the column {name} has values up to {largest:g} in the training rows, too large or "
                    "too much alike for a standard deviation: correct it, name what stands for a missing value in "
                    "data.init_args.missing, or give it in another unit"
                )
        return cls(list(table.names), np.nanmean(values, axis=0), np.nanstd(values, axis=0))

    def standardised(self, values: np.ndarray) -> np.ndarray:
        """Values ``(..., columns)`` in the data's units as multiples of the standard deviation from the mean."""
        return (values - self.mean) / self.deviation

    def restored(self, values: np.ndarray) -> np.ndarray:
        """Standardised values of the first columns, ``(..., some columns)``, in the data's units."""
        some = values.shape[-1]
        return values * self.deviation[:some] + self.mean[:some]

    def state(self) -> dict[str, Any]:
        """Plain values, for a checkpoint."""
        return {"names": list(self.names), "mean": self.mean.tolist(), "deviation": self.deviation.tolist()}

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> Scaling:
        """The scaling that :meth:`state` gave.

        Raises:
            UserError: The state is damaged; the message begins with a verb.
        """
        try:
            names, mean, deviation = list(state["names"]), np.array(state["mean"]), np.array(state["deviation"])
        except (KeyError, TypeError, ValueError) as error:
            raise UserError("has no mean and deviation of its columns: give one that 'seqlab fit' wrote") from error
        return cls(names, mean, deviation)
