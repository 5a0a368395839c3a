"""The learning rate over a run."""

import pytest
import torch

from datamodules.errors import UserError
from lightning_modules.schedules import WarmupSchedule


def rates(total: int | None, steps: int, **options: float) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule = WarmupSchedule(optimizer, **options)  # type: ignore[arg-type]
    if total is not None:
        schedule.plan(total)
    seen = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return seen


@pytest.mark.parametrize("cosine", [False, True])
def test_rises_to_the_rate_and_falls_to_the_end(cosine: bool) -> None:
    seen = rates(100, 150, warmup_steps=10, final_factor=0.1, cosine=cosine)
    assert seen[0] == pytest.approx(2.0 / 11)
    assert max(seen) == pytest.approx(2.0) == pytest.approx(seen[10])
    assert seen[:11] == sorted(seen[:11])
    assert seen[10:] == sorted(seen[10:], reverse=True)
    assert seen[55] == pytest.approx(1.1)
    assert seen[100:] == pytest.approx([0.2] * 50)


def test_without_a_plan_it_stays_after_the_rise() -> None:
    assert rates(None, 20, warmup_steps=4)[4:] == pytest.approx([2.0] * 16)


def test_without_warmup_it_begins_at_the_rate() -> None:
    assert rates(10, 11, warmup_steps=0) == pytest.approx([2.0 * (1 - step / 10) for step in range(11)])


@pytest.mark.parametrize("options", [{"warmup_steps": -1}, {"final_factor": 1.5}])
def test_impossible_values_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(UserError, match=next(iter(options))):
        rates(10, 1, **options)
