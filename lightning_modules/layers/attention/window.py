"""Windows of the source that a query sees, where some positions within the source may be hidden."""

from __future__ import annotations

import torch
from torch import Tensor


def source_lengths(mask: Tensor) -> Tensor:
    """Positions up to the last one that is seen, ``(b, 1)``, int64: those that are hidden before it count.

    Args:
        mask: ``(b, s)``, True where there is a token that is seen; at least one in every row.
    """
    return (mask * torch.arange(1, mask.shape[1] + 1, device=mask.device)).amax(dim=1, keepdim=True)


def outside(distance: Tensor, window: int, mask: Tensor) -> Tensor:
    """What is added to scores: 0 within the window, minus infinity outside.

    A window in which everything is hidden is widened up to the nearest position that is seen, so that weights are a
    distribution still.

    Args:
        distance: ``(b, t, s)``, of each position from the middle of each window, 0 or more.
        window: The greatest distance within.
        mask: ``(b, s)``, True where there is a token that is seen.

    Returns:
        ``(b, t, s)``, float32.
    """
    nearest = distance.masked_fill(~mask[:, None], torch.inf).amin(dim=2, keepdim=True)
    far = distance > nearest.clamp(min=window)
    return torch.zeros(far.shape, device=mask.device).masked_fill_(far, -torch.inf)
