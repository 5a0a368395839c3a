"""Training in another precision than float32: the batches' vectors in that of the weights."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

import lightning as L
import torch
from lightning.pytorch.plugins import DoublePrecision, HalfPrecision
from torch import Tensor


class DoubleBatches(DoublePrecision):
    """Float64, for batches that cannot be changed: Lightning would write into them."""

    def convert_input(self, data: Any) -> Any:  # noqa: ANN401 - Lightning's signature
        """A copy of a batch, its real numbers in float64."""
        return in_precision(data, torch.float64)


class HalfBatches(HalfPrecision):
    """Float16 or bfloat16, for batches that cannot be changed: Lightning would write into them."""

    def convert_input(self, data: Any) -> Any:  # noqa: ANN401 - Lightning's signature
        """A copy of a batch, its real numbers in the precision of the weights."""
        return in_precision(data, self._desired_input_dtype)


def in_precision(content: Any, dtype: torch.dtype) -> Any:  # noqa: ANN401 - a batch, or what is in one
    """A copy of a batch, its real numbers in another precision; ids and lengths stay as they are.

    Args:
        content: A batch, or what is in one.
        dtype: Type of the copy's real numbers.
    """
    if isinstance(content, Tensor):
        return content.to(dtype) if content.is_floating_point() else content
    if is_dataclass(content) and not isinstance(content, type):
        copies = {field.name: in_precision(getattr(content, field.name), dtype) for field in fields(content)}
        return replace(content, **copies)
    return content


def take_frozen_batches(trainer: L.Trainer) -> None:
    """Lets a trainer whose weights are not in float32 convert seqlab's batches.

    Args:
        trainer: Before it runs.
    """
    plugin = trainer.strategy.precision_plugin
    if type(plugin) is DoublePrecision:
        trainer.strategy.precision_plugin = DoubleBatches()
    elif type(plugin) is HalfPrecision:
        trainer.strategy.precision_plugin = HalfBatches(plugin.precision)
