"""Padded sequences: each read from its own end, or at it."""

from __future__ import annotations

import torch
from torch import Tensor


def reversed_within(values: Tensor, lengths: Tensor) -> Tensor:
    """Reverses each sequence within its own length; padding stays where it is.

    Args:
        values: ``(batch, length, size)``.
        lengths: ``(batch,)``, int64.
    """
    positions = torch.arange(values.shape[1], device=values.device)
    mirrored = lengths[:, None] - 1 - positions
    source = torch.where(mirrored >= 0, mirrored, positions)
    return values.gather(1, source[:, :, None].expand_as(values))


def at_ends(values: Tensor, lengths: Tensor) -> Tensor:
    """What each sequence has at its last position.

    Args:
        values: ``(batch, length, size)``.
        lengths: ``(batch,)``, int64, at least 1.

    Returns:
        ``(batch, size)``.
    """
    return values[torch.arange(values.shape[0], device=values.device), lengths - 1]
