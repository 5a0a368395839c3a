"""The learning rate over a run."""

from functools import partial

import pytest
import torch
from lightning.pytorch.cli import ReduceLROnPlateau as MonitoringPlateau
from torch.optim.lr_scheduler import ReduceLROnPlateau, StepLR

from datamodules.errors import UserError
from lightning_modules.schedules import TimedSchedule, WarmupSchedule, interval_of, monitor_of

HALVING = partial(StepLR, step_size=1, gamma=0.5)


def optimizer_of(rate: float = 2.0) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)


def rates(total: int | None, steps: int, **options: float) -> list[float]:
    optimizer = optimizer_of()
    schedule = WarmupSchedule(optimizer, **options)
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


def test_with_a_final_factor_of_1_it_stays_at_the_rate() -> None:
    assert rates(10, 15, warmup_steps=0, final_factor=1.0) == [2.0] * 15


@pytest.mark.parametrize("options", [{"warmup_steps": -1}, {"final_factor": 1.5}])
def test_impossible_values_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(UserError, match=next(iter(options))):
        rates(10, 1, **options)


def timed_rates(optimizer: torch.optim.Optimizer, schedule: TimedSchedule, metrics: list[float | None]) -> list[float]:
    seen = []
    for metric in metrics:
        optimizer.step()
        schedule.step(metric)
        seen.append(optimizer.param_groups[0]["lr"])
    return seen


def test_a_timed_schedule_makes_a_step_of_so_many_and_resumes_within() -> None:
    optimizer = optimizer_of()
    schedule = TimedSchedule(optimizer, HALVING, frequency=3)
    assert timed_rates(optimizer, schedule, [None] * 7) == [2, 2, 1, 1, 1, 0.5, 0.5]
    resumed_optimizer = optimizer_of()
    resumed = TimedSchedule(resumed_optimizer, HALVING, frequency=3)
    resumed_optimizer.load_state_dict(optimizer.state_dict())
    resumed.load_state_dict(schedule.state_dict())
    assert timed_rates(resumed_optimizer, resumed, [None] * 3) == [0.5, 0.25, 0.25]
    assert resumed.get_last_lr() == [0.25]


def test_a_timed_plateau_is_torch_s_own_on_each_second_metric() -> None:
    plateau = partial(ReduceLROnPlateau, patience=1, factor=0.5)
    metrics = [3.0, 2.0, 9.0, 2.5, 9.0, 2.2, 9.0, 1.0]
    alone_optimizer, optimizer = optimizer_of(), optimizer_of()
    alone = plateau(alone_optimizer)
    expected = []
    for metric in metrics[1::2]:
        alone.step(metric)
        expected.append(alone_optimizer.param_groups[0]["lr"])
    seen = timed_rates(optimizer, TimedSchedule(optimizer, plateau, frequency=2, monitor="val/loss"), list(metrics))
    assert seen[1::2] == expected == [2, 2, 1, 1]


def test_what_a_schedule_is_stepped_after_and_waits_for() -> None:
    monitoring, silent = partial(MonitoringPlateau, monitor="val/loss"), ReduceLROnPlateau
    for schedule, interval, monitor in (
        (HALVING(optimizer_of()), "step", None),
        (TimedSchedule(optimizer_of(), HALVING), "epoch", None),
        (TimedSchedule(optimizer_of(), HALVING, "validation"), "validation", None),
        (monitoring(optimizer_of()), "validation", "val/loss"),
        (TimedSchedule(optimizer_of(), monitoring), "validation", "val/loss"),
        (TimedSchedule(optimizer_of(), silent, monitor="val/bleu"), "validation", "val/bleu"),
    ):
        assert (interval_of(schedule), monitor_of(schedule)) == (interval, monitor)


@pytest.mark.parametrize(
    ("schedule", "options", "message"),
    [
        (HALVING, {"frequency": 0}, "frequency of TimedSchedule is 0"),
        (HALVING, {"monitor": "val/loss"}, "StepLR waits for no metric"),
        (ReduceLROnPlateau, {"monitor": "val/loss", "interval": "step"}, "interval of TimedSchedule is 'step'"),
        (ReduceLROnPlateau, {}, "does not say which metric it monitors"),
        (WarmupSchedule, {}, "WarmupSchedule counts the updates of the whole run"),
    ],
)
def test_what_a_timed_schedule_refuses(schedule: type, options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        TimedSchedule(optimizer_of(), schedule, **options)
