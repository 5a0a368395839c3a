"""Positions: how the layers of a Transformer, which are blind to order, know where a token stands."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from datamodules.errors import UserError

LONGEST_PERIOD = 10_000
"""The slowest wave takes about so many positions times 2 pi (Vaswani et al. 2017, section 3.5; Su et al. 2021)."""


class Rotation(NamedTuple):
    """By how much pairs of numbers are turned at each position.

    Attributes:
        cosines: ``(length, size / 2)``, of the angles.
        sines: ``(length, size / 2)``.
    """

    cosines: Tensor
    sines: Tensor

    def __call__(self, values: Tensor) -> Tensor:
        """Turns the pair of number i and number ``i + size / 2`` by angle i of the position.

        Args:
            values: ``(..., length, size)``.
        """
        cosines, sines = self.cosines.to(values.dtype), self.sines.to(values.dtype)
        first, second = values.chunk(2, dim=-1)
        return torch.cat([first * cosines - second * sines, second * cosines + first * sines], dim=-1)


class Positions(nn.Module, ABC):
    """What all kinds of positions offer.

    Args:
        hidden_size: Width of what the layers read; encoder or decoder gives it.
        head_size: Width of one head of their attention; encoder or decoder gives it.
    """

    def __init__(self, hidden_size: int, head_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.head_size = head_size

    @abstractmethod
    def forward(self, inputs: Tensor, start: int) -> tuple[Tensor, Rotation | None]:
        """Marks positions.

        Args:
            inputs: ``(batch, length, hidden_size)``.
            start: Position of the first of them.

        Returns:
            What the first layer reads, of the same shape; and how the queries and keys of every layer are turned, of
            width ``head_size``, or None for not at all.
        """


PositionsFactory = Callable[[int, int], Positions]
"""Makes positions of (hidden size, head size)."""


class SinusoidalPositions(Positions):
    """Waves that are added to the inputs (Vaswani et al. 2017, section 3.5).

    Number 2i of the vector at position p is ``sin(p / 10000 ** (2i / hidden_size))``, number 2i + 1 the cosine of it.

    Args:
        hidden_size: Width of what the layers read; encoder or decoder gives it.
        head_size: Width of one head of their attention; encoder or decoder gives it.
    """

    def forward(self, inputs: Tensor, start: int) -> tuple[Tensor, Rotation | None]:
        """Adds the waves; see :meth:`Positions.forward`."""
        angles = _angles(inputs, start, self.hidden_size)
        waves = torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, : self.hidden_size]
        return inputs + waves.to(inputs.dtype), None


class RotaryPositions(Positions):
    """Queries and keys that are turned by their position (Su et al. 2021, section 3.2.2, equation 14).

    Their product, and so the attention, depends on the distance of the two positions alone. The pair of number i and
    number ``i + head_size / 2`` is turned at position p by ``p / 10000 ** (2i / head_size)``; the paper pairs
    neighbours, which is the same in another order.

    Args:
        hidden_size: Width of what the layers read; encoder or decoder gives it.
        head_size: Width of one head of their attention; encoder or decoder gives it.

    Raises:
        UserError: The width of a head is odd.
    """

    def __init__(self, hidden_size: int, head_size: int) -> None:
        super().__init__(hidden_size, head_size)
        if head_size % 2:
            raise UserError(
                f"RotaryPositions turns pairs of numbers, but a head is {head_size} wide: change heads, or the "
                f"hidden_size, which is {hidden_size}"
            )

    def forward(self, inputs: Tensor, start: int) -> tuple[Tensor, Rotation | None]:
        """Adds nothing, and turns; see :meth:`Positions.forward`."""
        angles = _angles(inputs, start, self.head_size)
        return inputs, Rotation(angles.cos(), angles.sin())


def _angles(inputs: Tensor, start: int, size: int) -> Tensor:
    """``p / 10000 ** (2i / size)`` in float32 at least, ``(length, ceil(size / 2))``."""
    dtype, device = torch.promote_types(inputs.dtype, torch.float32), inputs.device
    positions = torch.arange(start, start + inputs.shape[1], dtype=dtype, device=device)
    numbers = torch.arange(0, size, 2, dtype=dtype, device=device)
    angles: Tensor = positions[:, None] * LONGEST_PERIOD ** (-numbers / size)
    return angles
