"""Attentions at another temperature than that of their training, for one look and no longer."""

from __future__ import annotations

import copy
import math
from typing import TypeVar

from torch import nn

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
    return module if factor == 1.0 else _tempered(module, factor)


def _tempered(module: ModuleT, factor: float) -> ModuleT:
    if not any(isinstance(each, Attention) for each in module.modules()):
        return module
    other = copy.copy(module)
    other._modules = {name: each and _tempered(each, factor) for name, each in module._modules.items()}
    if isinstance(other, Attention):
        other.temperature = other.temperature * factor
    return other
