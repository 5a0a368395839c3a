"""Linear layers of few rows, multiplied from the weight's side, against the usual product."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from lightning_modules.layers.few_rows import MOST_ROWS, FewRows


@pytest.mark.usefixtures("seed")
@pytest.mark.parametrize("shape", [(1,), (2,), (1, 1), (2, 3), (MOST_ROWS,), (MOST_ROWS + 1,), (0,)])
@pytest.mark.parametrize("bias", [True, False])
@torch.no_grad()
def test_results_are_those_of_the_usual_product(shape: tuple[int, ...], bias: bool) -> None:
    layer = nn.Linear(6, 9, bias=bias).double()
    wide = torch.randn(9, 14, dtype=torch.double)
    inputs = torch.randn(*shape, 6, dtype=torch.double)
    expected = layer(inputs), functional.linear(inputs, wide[:, 4:10])
    with FewRows():
        outputs = layer(inputs), functional.linear(inputs, wide[:, 4:10])
    torch.testing.assert_close(outputs, expected, rtol=1e-12, atol=1e-12)
