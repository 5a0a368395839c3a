"""Linear layers over a handful of rows, as a search has them for a single sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

MOST_ROWS = 10
"""With more rows than these the usual product is about as fast."""


class FewRows(TorchFunctionMode):
    """Within it, ``functional.linear`` of 2 to :data:`MOST_ROWS` rows on the CPU multiplies from the weight's side.

    Such a product takes the time in which the weight is read. MKL takes half of the time for ``weight @ rows.T`` that
    it takes for ``rows @ weight.T``. Results differ by rounding. Without gradients.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Takes the place of ``functional.linear``, and lets everything else be."""
        if func is functional.linear:
            return _linear(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    rows = input.flatten(0, -2)
    if not 2 <= len(rows) <= MOST_ROWS or torch.is_autocast_enabled(input.device.type):
        return functional.linear(input, weight, bias)
    outputs = (weight @ rows.contiguous().t()).t()  # rows that lie apart would take longer than the usual product
    if bias is not None:
        outputs = outputs + bias
    return outputs.reshape(*input.shape[:-1], len(weight))
