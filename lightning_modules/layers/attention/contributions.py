"""What each source position adds to the context that an attention makes."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from lightning_modules.layers.attention.attention import Attention


class Contributions(NamedTuple):
    """What the positions add to contexts.

    Attributes:
        norms: ``(b, t, s)``, the length of what each position adds.
        shares: ``(b, t, s)``, its projection onto the whole context, over the whole's squared length: they sum to 1;
            0 where the context is 0.
    """

    norms: Tensor
    shares: Tensor


def parts_of_context(attention: Attention, weights: Tensor, keys: Tensor, memory: Tensor) -> Tensor:
    """The context position by position: a context is linear in its weights, so that these parts sum to it.

    Letters: b batch, t target length, s source length, m memory size.

    Args:
        attention: Makes the context.
        weights: ``(b, heads, t, s)``.
        keys: ``(b, s, key_size)``, from :meth:`Attention.project`.
        memory: ``(b, s, m)``.

    Returns:
        ``(b, t, s, context_size)``.
    """
    alone = torch.diag_embed(weights).flatten(2, 3)  # (b, heads, t * s, s), one weight in each row
    return attention.context(alone, keys, memory).unflatten(1, weights.shape[2:])


def contributions(attention: Attention, weights: Tensor, keys: Tensor, memory: Tensor) -> Contributions:
    """How much each position has to do with the contexts.

    Args:
        attention: Makes the contexts.
        weights: ``(b, heads, t, s)``.
        keys: ``(b, s, key_size)``, from :meth:`Attention.project`.
        memory: ``(b, s, m)``.
    """
    parts = parts_of_context(attention, weights, keys, memory)
    whole = parts.sum(dim=2)
    squared = whole.square().sum(dim=-1).clamp(min=torch.finfo(whole.dtype).tiny)
    shares = torch.einsum("btsm,btm->bts", parts, whole) / squared[:, :, None]
    return Contributions(parts.norm(dim=-1), shares)
