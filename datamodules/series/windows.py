"""Windows over a series: what was, and what came then."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from datamodules.batch import Padded, SeriesBatch
from datamodules.series.layout import SeriesLayout


class Windows(Dataset[SeriesBatch]):
    """Windows of a split; a dataset of whole batches.

    All that is to be predicted lies in the split. What is read may reach back before it, as it will be known by then.
    A window in which nothing that is to be predicted is known is left out. Nothing is copied but what a batch has.

    Args:
        vectors: ``(rows, size)`` of the whole series.
        layout: What stands where in them.
        rows: The rows of the split.
        window: Steps that are read.
        horizon: Steps that are predicted.
        stride: Steps from one window to the next.

    Attributes:
        starts: ``(windows,)``, the first row of each.
        window: Steps that are read.
        horizon: Steps that are predicted.
    """

    def __init__(
        self, vectors: np.ndarray, layout: SeriesLayout, rows: range, window: int, horizon: int, stride: int = 1
    ) -> None:
        self.window, self.horizon = window, horizon
        self._vectors, self._rows = vectors, rows
        self._columns, self._future = len(layout.columns), layout.size - layout.future_size
        starts = np.arange(max(0, rows.start - window), rows.stop - window - horizon + 1, stride)
        known = (vectors[:, self._columns : 2 * self._columns] == 0).any(axis=1).cumsum()
        known = np.concatenate([[0], known])
        self.starts = starts[known[starts + window + horizon] > known[starts + window]]

    def content(self) -> str:
        """SHA-256 (hex) over the rows of the split."""
        return hashlib.sha256(self._vectors[self._rows.start : self._rows.stop].tobytes()).hexdigest()

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, indices: list[int]) -> SeriesBatch:
        """The batch of the windows with these indices, in this order; an empty list makes an empty batch."""
        index = torch.tensor(indices, dtype=torch.long)
        steps = np.arange(self.window + self.horizon)
        rows = torch.from_numpy(self._vectors[self.starts[indices][:, None] + steps])
        return window_batch(rows, self.window, self._columns, self._future, index)


def window_batch(rows: Tensor, window: int, columns: int, future: int, index: Tensor) -> SeriesBatch:
    """A batch of windows.

    Args:
        rows: ``(batch, window + horizon, size)``; of the steps to predict, what is not known may be anything.
        window: Steps that are read.
        columns: How many columns are predicted.
        future: Where in a row that begins which is known ahead.
        index: ``(batch,)``, the number of each window.
    """
    horizon = rows.shape[1] - window
    return SeriesBatch(
        Padded(rows[:, :window], torch.full((len(rows),), window)),
        Padded(rows[:, window:, : 2 * columns], torch.full((len(rows),), horizon)),
        index,
        rows[:, window:, future:],
    )
