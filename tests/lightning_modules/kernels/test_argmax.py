"""The most probable class, by numpy and by torch."""

import pytest
import torch

from lightning_modules.kernels.argmax import most_probable


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("classes", [1, 7, 8000])
def test_it_is_what_torch_finds(classes: int, dtype: torch.dtype, seed: int) -> None:
    logits = torch.randn(5, classes, generator=torch.Generator().manual_seed(seed)).to(dtype)
    logits[1] = -torch.inf
    logits[2, classes // 2 :] = torch.inf  # several are the greatest: the first counts
    found = most_probable(logits.requires_grad_())
    assert found.dtype == torch.int64
    assert found.tolist() == [max(range(classes), key=row.__getitem__) for row in logits.tolist()]


def test_a_view_with_gaps() -> None:
    logits = torch.arange(12.0).view(3, 4).t()
    assert most_probable(logits).tolist() == [2, 2, 2, 2]
