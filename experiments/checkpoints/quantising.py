"""Checkpoints whose matrices are whole numbers of eight bits: a quarter of the size."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from datamodules.errors import UserError
from lightning_modules.kernels.int8 import quantised

SCALES = "int8_scales"
"""Under it a file has what the rows of each matrix of whole numbers are to be multiplied by, by the weight's name."""

RESTORED = "restored_from_int8"
"""Has a checkpoint, once it is read, whose file had whole numbers."""


def quantise(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Makes the matrices of a checkpoint int8, each row with a scale; all else stays as it is.

    Args:
        checkpoint: As read.

    Returns:
        What is to be written. Tensors that were one, as tied ones are, still are.

    Raises:
        UserError: It was quantised already.
    """
    if is_quantised(checkpoint):
        raise UserError("it is quantised already")
    made: dict[tuple[object, ...], tuple[Tensor, Tensor]] = {}
    weights, scales = dict(checkpoint["state_dict"]), {}
    for name, weight in checkpoint["state_dict"].items():
        if weight.dim() != 2 or not weight.is_floating_point():
            continue
        place = (weight.untyped_storage().data_ptr(), weight.storage_offset(), weight.shape, weight.stride())
        if place not in made:
            made[place] = quantised(weight.float())
        weights[name], scales[name] = made[place]
    return {**checkpoint, "state_dict": weights, SCALES: scales}


def is_quantised(checkpoint: Mapping[str, Any]) -> bool:
    """Whether the file of a checkpoint, as read, was one of :func:`quantise`."""
    return RESTORED in checkpoint


def restored(checkpoint: dict[str, Any], path: Path) -> dict[str, Any]:
    """A checkpoint with the weights of a quantised file in float32; any other as it is.

    Args:
        checkpoint: As the file has it.
        path: The file, for errors.

    Raises:
        UserError: Numbers and scales do not fit.
    """
    if SCALES not in checkpoint:
        return checkpoint
    weights, scales = dict(checkpoint["state_dict"]), checkpoint[SCALES]
    made: dict[int, Tensor] = {}
    for name, scale in scales.items() if isinstance(scales, Mapping) else [(SCALES, scales)]:
        numbers = weights.get(name)
        if numbers is None or not _fits(numbers, scale):
            raise UserError(f"{path}: its int8 weight {name!r} and that weight's scales do not fit")
        place = numbers.untyped_storage().data_ptr()
        if place not in made:
            made[place] = numbers * scale
        weights[name] = made[place]
    others = {key: value for key, value in checkpoint.items() if key != SCALES}
    return {**others, "state_dict": weights, RESTORED: True}


def _fits(numbers: object, scale: object) -> bool:
    return (
        isinstance(numbers, Tensor)
        and isinstance(scale, Tensor)
        and numbers.dtype == torch.int8
        and scale.is_floating_point()
        and scale.shape == (*numbers.shape[:1], 1)
    )
