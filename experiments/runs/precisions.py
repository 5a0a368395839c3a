"""Training in another precision than float32: the batches' vectors in that of the weights."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from importlib.util import find_spec
from typing import Any

import lightning as L
import torch
from lightning.pytorch.plugins import DoublePrecision, HalfPrecision
from torch import Tensor

from datamodules.errors import UserError

PRECISIONS = ("32-true", "64-true", "bf16-true", "bf16-mixed", "16-mixed")
"""Those that train here, by Lightning's names."""


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
        dtype: Of the copy.
    """
    if isinstance(content, Tensor):
        return content.to(dtype) if content.is_floating_point() else content
    if is_dataclass(content) and not isinstance(content, type):
        copies = {field.name: in_precision(getattr(content, field.name), dtype) for field in fields(content)}
        return replace(content, **copies)
    return content


def check_precision(given: object) -> None:
    """Refuses to train in a precision that is not to be had, or in which no model learns.

    Args:
        given: ``--trainer.precision``.

    Raises:
        UserError: It is float16 for the weights too: what Adam adds to a denominator, 1e-8, is 0 in it. Or it needs a
            package that is not installed.
    """
    advice = f"give one of {', '.join(PRECISIONS)}"
    if given == "16-true":
        raise UserError(f"trainer.precision is {given}, in which weights become NaN at once: {advice}")
    if str(given).startswith("transformer-engine") and find_spec("transformer_engine") is None:
        raise UserError(f"trainer.precision is {given}, which needs the package transformer_engine: {advice}")


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
