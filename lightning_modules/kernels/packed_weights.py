"""Weights that are multiplied again and again, laid out for it once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from lightning_modules.kernels import onednn
from lightning_modules.kernels.bfloat16 import Bfloat16Weight, has_packed_products
from lightning_modules.kernels.int8 import Int8Weight
from lightning_modules.kernels.int8_sums import greatest_of_inputs
from lightning_modules.kernels.onednn import (
    LEAST_PACKED_VALUES,
    MOST_PACKED_ROWS,
    as_whole,
    is_large,
    packed,
    product,
    suits,
)
from lightning_modules.kernels.scope import Scope
from lightning_modules.kernels.timing import ratio_of_times

Precision = Literal["float32", "bfloat16", "int8"]
"""In what the large products of a search are made."""


class PackedWeight(Protocol):
    """A weight as it is multiplied."""

    def product(self, inputs: Tensor, bias: Tensor | None) -> Tensor:
        """``inputs @ weight.t() + bias``.

        Args:
            inputs: ``(rows, in)``.
            bias: ``(out,)``; None for none.

        Returns:
            ``(rows, out)``, in the precision of the inputs.
        """


class PackedWeights(Scope):
    """Within it, and without gradients, a linear layer packs its weight at its first product; see :func:`packed`.

    For what multiplies with the same weights again and again, as a search does.
    Every weight that comes is kept until the end: what is made anew for each batch does not belong here.

    Args:
        precision: In what products with large weights are made on the CPU; small ones are float32, and all are where
            the processor cannot make them so.
    """

    def __init__(self, precision: Precision = "float32") -> None:
        self._form = _FORMS[precision if is_available(precision) else "float32"]
        self._kept: dict[tuple[object, ...], _Kept] = {}

    @classmethod
    def are_kept(cls) -> bool:
        """Whether there is one, and no gradients."""
        return cls.current() is not None and not torch.is_grad_enabled()

    @classmethod
    def product(cls, inputs: Tensor, weights: Sequence[Tensor], bias: Tensor | None) -> Tensor:
        """``inputs @ weight.t() + bias`` with the weights side by side as one, packed where that is faster.

        Args:
            inputs: ``(rows, in)``.
            weights: Each ``(out, in_i)``; what was made of them is kept until one of them changes.
            bias: ``(out,)``; None for none.

        Returns:
            ``(rows, out)``.

        Raises:
            LookupError: There is none within which weights are kept.
        """
        current = cls.current()
        if current is None:
            raise LookupError("no weights are kept here")
        key = tuple(
            (each.data_ptr(), each.shape, each.stride(), None if each.is_inference() else each._version)
            for each in weights
        )
        if key not in current._kept:
            whole = torch.cat(list(weights), dim=1) if len(weights) > 1 else as_whole(weights[0])
            is_packed = whole.numel() >= LEAST_PACKED_VALUES and suits(whole)
            current._kept[key] = _Kept(tuple(weights), (current._form if is_packed else Float32Weight)(whole))
        return current._kept[key].packed.product(inputs, bias)


class _Kept(NamedTuple):
    """A weight, and what was made of: as long as that is kept, no other can lie in its place."""

    given: tuple[Tensor, ...]
    packed: PackedWeight


class Float32Weight:
    """A weight as it is, packed for those numbers of rows for which that is faster.

    Args:
        weight: ``(out, in)``.
    """

    def __init__(self, weight: Tensor) -> None:
        self._whole = weight
        # On AMD's processors for any number of rows; on others for few.
        self._rows = range(sys.maxsize) if onednn.is_by_amd() else range(2, MOST_PACKED_ROWS + 1)

    def product(self, inputs: Tensor, bias: Tensor | None) -> Tensor:
        """The product in float32; see :meth:`PackedWeight.product`."""
        is_for_packing = len(inputs) in self._rows and is_large(inputs, self._whole)
        return product(inputs, self._packed if is_for_packing else self._whole, bias)

    @cached_property
    def _packed(self) -> Tensor:
        return packed(self._whole)


_FORMS: dict[Precision, Callable[[Tensor], PackedWeight]] = {
    "float32": Float32Weight,
    "bfloat16": Bfloat16Weight,
    "int8": Int8Weight,
}


def is_available(precision: Precision) -> bool:
    """Whether this processor makes products in a precision, without mistakes."""
    if precision == "float32":
        return True
    return greatest_of_inputs() > 0 if precision == "int8" else has_packed_products()


_TIMED_ROWS = (5, 64)
"""A beam of one sentence, and a small batch."""


@torch.inference_mode()
def gain(precision: Precision) -> float:
    """How many times as fast as in float32 products are in another precision here, by a timing of some 30 ms.

    Args:
        precision: In which one.
    """
    weights = [_FORMS[each](torch.ones(2048, 512)) for each in ("float32", precision)]
    batches = [torch.ones(rows, 512) for rows in _TIMED_ROWS]
    return ratio_of_times(*(lambda each=each: [each.product(batch, None) for batch in batches] for each in weights))


def why_not(precision: Precision) -> str | None:
    """Why products are better made in float32 on this processor, in words; None where they are not.

    Args:
        precision: In what else.
    """
    if precision == "float32":
        return None
    if not is_available(precision):
        return f"this processor does not make {precision} products without mistakes"
    times = gain(precision)
    if times < 1:
        return f"products in {precision} take {1 / times:.1f} times the time of float32 ones on this processor"
    return None
