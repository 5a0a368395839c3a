"""What the layers of a Transformer are made of, in encoder and decoder alike."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from datamodules.errors import UserError
from lightning_modules.kernels.linear import Linear
from lightning_modules.layers.transformer.positions import Rotation


class KeysValues(NamedTuple):
    """What a self-attention looks at.

    Attributes:
        keys: ``(b, heads, t, d)``, turned by their positions where those turn.
        values: ``(b, heads, t, d)``.
    """

    keys: Tensor
    values: Tensor

    def select(self, rows: Tensor) -> KeysValues:
        """Those of the given rows ``(new_rows,)``."""
        return KeysValues(self.keys.index_select(0, rows), self.values.index_select(0, rows))

    def followed_by(self, later: KeysValues) -> KeysValues:
        """These and those of later positions."""
        return KeysValues(torch.cat([self.keys, later.keys], dim=2), torch.cat([self.values, later.values], dim=2))


class SelfAttention(nn.Module):
    """Scaled dot attention of a sequence to itself, with several heads (Vaswani et al. 2017, section 3.2.2).

    Letters: b batch, n queries, t positions that are looked at, d width of a head.

    Args:
        size: Width of inputs and outputs.
        heads: Number of heads, which divides it.
        dropout: Dropout on the weights.
    """

    def __init__(self, size: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.input_projection = Linear(size, 3 * size, bias=False)
        self.output_projection = Linear(size, size, bias=False)

    def project(self, inputs: Tensor, rotation: Rotation | None) -> tuple[Tensor, KeysValues]:
        """Queries, keys and values, by one product.

        Args:
            inputs: ``(b, n, size)``.
            rotation: How queries and keys are turned.

        Returns:
            Queries ``(b, heads, n, d)``, and as many keys and values.
        """
        split = self.input_projection(inputs).unflatten(2, (3 * self.heads, -1)).transpose(1, 2)
        turning, values = split.split([2 * self.heads, self.heads], dim=1)
        queries, keys = (turning if rotation is None else rotation(turning)).chunk(2, dim=1)
        return queries, KeysValues(keys, values)

    def forward(self, queries: Tensor, seen: KeysValues, mask: Tensor | None = None, causal: bool = False) -> Tensor:
        """Attends.

        Args:
            queries: ``(b, heads, n, d)``.
            seen: ``(b, heads, t, d)`` each.
            mask: True where a query looks at a position, of a shape that expands to ``(b, heads, n, t)``; None for all.
            causal: In place of a mask: a query looks at its own position and those before it, and t is n.

        Returns:
            ``(b, n, size)``.
        """
        dropout = self.dropout if self.training else 0.0
        contexts = functional.scaled_dot_product_attention(queries, *seen, mask, dropout, causal)
        return self.output_projection(contexts.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """``W_2 max(0, W_1 x + b_1) + b_2``, at each position by itself (Vaswani et al. 2017, equation 2).

    Args:
        size: Width of inputs and outputs.
        inner_size: Width between the layers.
    """

    def __init__(self, size: int, inner_size: int) -> None:
        super().__init__()
        self.inner = Linear(size, inner_size)
        self.outer = Linear(inner_size, size)

    def forward(self, inputs: Tensor) -> Tensor:
        """``(..., size)`` to ``(..., size)``."""
        return self.outer(self.inner(inputs).relu())


def check_heads(part: object, heads: int, hidden_size: int) -> None:
    """Refuses heads of no whole width.

    Args:
        part: What takes the arguments; the message gives the name of its class.
        heads: Number of heads.
        hidden_size: Width of all of them together.

    Raises:
        UserError: The width is no multiple of them.
    """
    if hidden_size % heads:
        raise UserError(
            f"heads of {type(part).__name__} is {heads}, which does not divide its hidden_size of {hidden_size}: "
            "change either"
        )
