"""Attentions that attend otherwise than in their training, for one look and no longer."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from datamodules.errors import UserError
from lightning_modules.layers.attention.attention import Attention

ModuleT = TypeVar("ModuleT", bound=nn.Module)


def tempered(module: ModuleT, factor: float) -> ModuleT:
    """The same module, all parameters shared, with attentions whose scores are divided by so much more.

    ``softmax(score / (temperature factor))``: the module that is given stays as it is, so that others may run it at the
    same time. Nothing is copied but what leads to an attention.

    Args:
        module: Has attentions anywhere in it, or is one.
        factor: Below 1 sharpens the weights, above 1 evens them out.

    Raises:
        UserError: The factor is not above 0.
    """
    if not 0 < factor < math.inf:
        raise UserError(f"the attention's temperature is {factor}: give a number above 0")

    def alter(attention: Attention) -> None:
        attention.temperature = attention.temperature * factor

    return module if factor == 1.0 else _altered(module, alter)


def reweighted(module: ModuleT, change: Callable[[Tensor, Tensor], Tensor]) -> ModuleT:
    """The same module, all parameters shared, with attentions whose weights are others; see :func:`tempered`.

    Args:
        module: Has attentions anywhere in it, or is one.
        change: Of weights ``(b, heads, t, s)`` and a mask ``(b, s)`` makes weights.
    """

    def alter(attention: Attention) -> None:
        attention.change = change

    return _altered(module, alter)


def even(weights: Tensor, mask: Tensor) -> Tensor:
    """The same weight for every real position; see :func:`reweighted`."""
    share = mask.to(weights.dtype) / mask.sum(dim=1, keepdim=True)
    return share[:, None, None, :].expand_as(weights)


def shuffled(weights: Tensor, mask: Tensor) -> Tensor:
    """The weights of each query at other real positions, drawn at random; see :func:`reweighted`."""
    drawn = torch.rand(weights.shape, device=weights.device).masked_fill(~mask[:, None, None, :], 2.0)
    return weights.gather(-1, drawn.argsort(dim=-1))  # real positions come first in both, padding has no weight


def _altered(module: ModuleT, alter: Callable[[Attention], None]) -> ModuleT:
    if not any(isinstance(each, Attention) for each in module.modules()):
        return module
    other = copy.copy(module)
    other._modules = {name: each and _altered(each, alter) for name, each in module._modules.items()}
    if isinstance(other, Attention):
        alter(other)
    return other
