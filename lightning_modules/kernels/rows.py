"""How many rows a product has: oneDNN makes a kernel for each number, and a search has a new one at every step."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def filled(matrix: Tensor) -> Tensor:
    """A matrix with some rows of zeros below, so that few numbers of rows occur.

    Their number becomes a multiple of 8, above 64 of 32, above 256 of 128. A kernel takes one to three milliseconds to
    make, for a single row up to seven; a product with some rows takes a tenth of that.

    Args:
        matrix: ``(rows, columns)``.
    """
    rows = len(matrix)
    step = 8 if rows <= 64 else 32 if rows <= 256 else 128
    return functional.pad(matrix, (0, 0, 0, -rows % step)) if rows % step else matrix
