"""Attention by products of query and memory: dot, scaled dot and general scores."""

from __future__ import annotations

import math

from torch import Tensor

from datamodules.errors import UserError
from lightning_modules.kernels.linear import Linear, matmul
from lightning_modules.layers.attention.attention import Attention


class DotAttention(Attention):
    """Luong's dot score, ``query . memory`` (Luong et al. 2015, equation 8).

    Args:
        query_size: Width of the query; the decoder gives it.
        memory_size: Width of the memory; the decoder gives it.
        temperature: What scores are divided by before the softmax.

    Raises:
        UserError: The two widths differ.
    """

    def __init__(self, query_size: int, memory_size: int, temperature: float = 1.0) -> None:
        super().__init__(query_size, memory_size, temperature)
        if query_size != memory_size:
            raise UserError(
                f"{type(self).__name__} needs a query as wide as the memory, but the decoder's hidden_size is "
                f"{query_size} and the encoder's width, directions together, {memory_size}: make them equal, or take "
                "GeneralAttention"
            )

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """The dot product; see :meth:`Attention.score`."""
        return matmul(query, keys.transpose(1, 2))[:, None]


class ScaledDotAttention(DotAttention):
    """The dot score over the square root of the width (Vaswani et al. 2017, equation 1).

    Args:
        query_size: Width of the query; the decoder gives it.
        memory_size: Width of the memory; the decoder gives it.
        temperature: What scores are divided by before the softmax, beside the square root.

    Raises:
        UserError: The two widths differ.
    """

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """The scaled dot product; see :meth:`Attention.score`."""
        return super().score(query / math.sqrt(self.query_size), keys)


class GeneralAttention(Attention):
    """Luong's general score, ``query . W memory`` (Luong et al. 2015, equation 8).

    Args:
        query_size: Width of the query; the decoder gives it.
        memory_size: Width of the memory; the decoder gives it.
        temperature: What scores are divided by before the softmax.
    """

    def __init__(self, query_size: int, memory_size: int, temperature: float = 1.0) -> None:
        super().__init__(query_size, memory_size, temperature)
        self.key_projection = Linear(memory_size, query_size, bias=False)

    def project(self, memory: Tensor) -> Tensor:
        """``W memory``, ``(b, s, q)``."""
        return self.key_projection(memory)

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """The bilinear score; see :meth:`Attention.score`."""
        return matmul(query, keys.transpose(1, 2))[:, None]
