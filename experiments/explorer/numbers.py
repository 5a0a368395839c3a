"""Numbers as JSON has them: short, and none of them infinite."""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor

Numbers = list["Numbers"] | list[float | None] | float | None
"""A number, or a nest of them; None for what is no number."""

DIGITS = 7
"""Behind the point: weights and probabilities agree with the model's to 1e-6."""


def numbers(values: Tensor | np.ndarray | float, digits: int = DIGITS) -> Numbers:
    """A tensor or an array as nested lists.

    Args:
        values: Of any shape.
        digits: Behind the point.
    """
    if isinstance(values, Tensor):
        values = values.detach().double().cpu().numpy()
    return _rounded(values.tolist() if isinstance(values, np.ndarray) else values, digits)


def _rounded(values: list[object] | float, digits: int) -> Numbers:
    if isinstance(values, list):
        return [_rounded(each, digits) for each in values]  # type: ignore[arg-type]  # lists of lists of numbers
    return round(values, digits) if math.isfinite(values) else None
