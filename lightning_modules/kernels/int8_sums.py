"""Sums of products of whole numbers of eight bits, by the libraries that torch has for them."""

from __future__ import annotations

import warnings
from functools import cache, partial
from typing import Protocol

import torch
from torch import Tensor

from lightning_modules.kernels.rows import filled
from lightning_modules.kernels.timing import ratio_of_times

GREATEST = 127
"""Of a weight's whole numbers; as many below 0 as above, so that 0 is 0."""

FEW_ROWS = 16
"""Up to so many rows, as a beam of one sentence has, a product mostly waits for the weight."""

_OF_INPUTS = (GREATEST, 63)
"""What the greatest of an input's whole numbers may be: of eight bits, or of seven, of which two products with a
weight's fit into 16 bits. All processors want them above 0: what stands for 0 is one more than the greatest."""

_TIMED_ROWS = {True: 5, False: 64}
"""Of a product with few rows, and with many."""


class Int8Sums(Protocol):
    """A weight as a library lays it out."""

    def __init__(self, numbers: Tensor, scales: Tensor, greatest: int) -> None:
        """Lays it out.

        Args:
            numbers: ``(out, in)``, int8.
            scales: ``(out,)``, float32.
            greatest: Of an input's whole numbers.
        """

    @classmethod
    def is_there(cls) -> bool:
        """Whether this torch has it on this processor."""

    def of(self, inputs: Tensor) -> Tensor:
        """The sums of products, times the weight's scales.

        Args:
            inputs: ``(rows, in)``, whole numbers as float32.

        Returns:
            ``(rows, out)``, float32.
        """


class OnednnSums:
    """By oneDNN: the operation that torch's own compiler emits for a quantised linear layer."""

    def __init__(self, numbers: Tensor, scales: Tensor, greatest: int) -> None:
        self._numbers = torch.ops.onednn.qlinear_prepack(numbers, None)
        self._scales = scales
        self._zeros = torch.zeros(len(scales), dtype=torch.int64)
        self._zero = greatest + 1

    @classmethod
    def is_there(cls) -> bool:
        """See :meth:`Int8Sums.is_there`."""
        operations = ("qlinear_prepack", "qlinear_pointwise")
        return torch.backends.mkldnn.is_available() and all(hasattr(torch.ops.onednn, name) for name in operations)

    def of(self, inputs: Tensor) -> Tensor:
        """See :meth:`Int8Sums.of`."""
        numbers = inputs.add(self._zero).to(torch.uint8)
        sums: Tensor = torch.ops.onednn.qlinear_pointwise(
            filled(numbers),
            1.0,
            self._zero,
            self._numbers,
            self._scales,
            self._zeros,
            None,
            1.0,
            0,
            torch.float32,
            "none",
            [],
            "",
        )
        return sums[: len(inputs)]


class FbgemmSums:
    """By FBGEMM, which is the faster one for few rows, and on processors without VNNI for many."""

    def __init__(self, numbers: Tensor, scales: Tensor, greatest: int) -> None:
        zeros = torch.zeros(len(scales), dtype=torch.int64)
        with warnings.catch_warnings():
            # No other tensor can be packed so. A torch that no longer has it takes oneDNN.
            warnings.filterwarnings("ignore", "torch.quantize_per_tensor", UserWarning)
            weight = torch._make_per_channel_quantized_tensor(numbers, scales, zeros, 0)
        self._packed = torch.ops.quantized.linear_prepack(weight, None)
        self._zero = greatest + 1

    @classmethod
    def is_there(cls) -> bool:
        """See :meth:`Int8Sums.is_there`."""
        return (
            torch.backends.quantized.engine in ("fbgemm", "x86")
            and hasattr(torch, "_make_per_channel_quantized_tensor")
            and hasattr(torch.ops.quantized, "linear_with_input_q_dq_qweight_dq_output_fp32")
        )

    def of(self, inputs: Tensor) -> Tensor:
        """See :meth:`Int8Sums.of`."""
        sums: Tensor = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
            inputs, 1.0, self._zero, self._packed
        )
        return sums


LIBRARIES: tuple[type[Int8Sums], ...] = (FbgemmSums, OnednnSums)


@cache
def libraries() -> tuple[type[Int8Sums], ...]:
    """Those that are there."""
    return tuple(each for each in LIBRARIES if each.is_there())


@cache
def greatest_of_inputs() -> int:
    """The greatest of an input's whole numbers of which this processor adds up products without a mistake; 0 for none.

    One without VNNI adds two products in 16 bits, which is not enough for the greatest ones of eight bits each.
    """
    if not libraries():
        return 0
    return next((each for each in _OF_INPUTS if all(_adds_up(library, each) for library in libraries())), 0)


def _adds_up(library: type[Int8Sums], greatest: int) -> bool:
    """Whether the sums of the greatest products are right."""
    sums = library(torch.full((32, 64), GREATEST, dtype=torch.int8), torch.ones(32), greatest)
    return bool((sums.of(torch.full((8, 64), float(greatest))) == 64 * GREATEST * greatest).all())


@cache
def fastest(is_few: bool) -> type[Int8Sums]:
    """The library that a timing of some milliseconds finds the fastest: sums are the same by all.

    Args:
        is_few: For up to :data:`FEW_ROWS` rows, or for more.
    """
    one, *others = libraries()
    inputs = torch.ones(_TIMED_ROWS[is_few], 512)
    for other in others:
        first, second = (
            library(torch.ones(2048, 512, dtype=torch.int8), torch.ones(2048), greatest_of_inputs())
            for library in (one, other)
        )
        if ratio_of_times(partial(first.of, inputs), partial(second.of, inputs)) > 1:
            one = other
    return one
