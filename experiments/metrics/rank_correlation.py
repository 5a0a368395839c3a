"""Whether two sets of numbers have the same order."""

from __future__ import annotations

import torch
from torch import Tensor


def kendall(one: Tensor, other: Tensor, mask: Tensor) -> Tensor:
    """Kendall's tau-b of each row: the share of pairs that both order alike, less that of pairs ordered otherwise.

    Ties count for neither (Kendall 1945, "The treatment of ties in ranking problems"). Where one side has nothing but
    ties, or a row has fewer than two numbers, it is 0.

    Args:
        one: ``(rows, n)``.
        other: ``(rows, n)``.
        mask: ``(rows, n)``, True where there is a number.

    Returns:
        ``(rows,)``, float64, from -1 to 1.
    """
    pairs = (mask[:, :, None] & mask[:, None, :]).triu(diagonal=1)
    orders = [(side[:, :, None] - side[:, None, :]).sign().double() * pairs for side in (one, other)]
    agreement = (orders[0] * orders[1]).sum(dim=(1, 2))
    untied = [order.square().sum(dim=(1, 2)) for order in orders]
    return agreement / torch.sqrt(untied[0] * untied[1]).clamp(min=1.0)
