"""A step that fails names the batches that spoilt it."""

import pytest
import torch

from lightning_modules.training.step_batches import StepBatches


@pytest.mark.parametrize("spoilt", [torch.nan, torch.inf, -torch.inf])
def test_of_several_batches_the_spoilt_one_is_named(spoilt: float) -> None:
    batches = StepBatches()
    for loss, index in ((1.5, [3, 4]), (spoilt, [7]), (2.0, [9])):
        batches.add(torch.tensor(loss), 5, torch.tensor(index))
    in_loss, index = batches.suspects()
    assert in_loss
    assert index.tolist() == [7]
    assert batches.tokens == 15


def test_where_the_losses_are_finite_all_are_suspects() -> None:
    batches = StepBatches()
    batches.add(torch.tensor(1.0), 1, torch.tensor([9]))
    batches.clear()
    for index in ([3, 4], [7]):
        batches.add(torch.tensor(1.0, requires_grad=True), 2, torch.tensor(index))
    in_loss, index = batches.suspects()
    assert not in_loss
    assert index.tolist() == [3, 4, 7]
    assert batches.tokens == 4
    batches.clear()
    assert batches.suspects()[1].tolist() == []
    assert batches.tokens == 0
