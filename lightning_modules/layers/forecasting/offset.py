"""Offsets: what is taken off a window, and given back to its forecast, so that a model sees changes and no levels."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor


class Offset(ABC):
    """What every offset offers."""

    @abstractmethod
    def of(self, past: Tensor, known: Tensor) -> Tensor:
        """The offset of each window and column.

        Args:
            past: ``(batch, w, c)``, 0 where a value is missing.
            known: ``(batch, w, c)``, bool: where there is a value.

        Returns:
            ``(batch, 1, c)``; 0 for a column of which nothing is known.
        """


class NoOffset(Offset):
    """Nothing is taken off."""

    def of(self, past: Tensor, known: Tensor) -> Tensor:
        """Zeros; see :meth:`Offset.of`."""
        return past.new_zeros(past.shape[0], 1, past.shape[2])


class LastOffset(Offset):
    """The last known value of each column (Lin et al. 2023, section 4.3; Zeng et al. 2023, NLinear)."""

    def of(self, past: Tensor, known: Tensor) -> Tensor:
        """See :meth:`Offset.of`."""
        return last_known(past, known)


class MeanOffset(Offset):
    """The mean of the known values of each column (Kim et al. 2022, without the division by the deviation)."""

    def of(self, past: Tensor, known: Tensor) -> Tensor:
        """See :meth:`Offset.of`."""
        return past.sum(dim=1, keepdim=True) / known.sum(dim=1, keepdim=True).clamp(min=1)


def last_known(past: Tensor, known: Tensor) -> Tensor:
    """The last known value of each column, ``(batch, 1, c)``; 0 where nothing is known.

    Args:
        past: ``(batch, w, c)``, 0 where a value is missing.
        known: ``(batch, w, c)``, bool: where there is a value.
    """
    steps = torch.arange(past.shape[1], device=past.device)[:, None]
    last = torch.where(known, steps, 0).amax(dim=1, keepdim=True)
    return past.gather(1, last)
