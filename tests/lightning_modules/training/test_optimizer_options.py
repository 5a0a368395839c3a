"""After a resume the optimizer has the options that it was made with, and the state that was saved."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CyclicLR, LRScheduler, OneCycleLR

from lightning_modules.schedules import WarmupSchedule
from lightning_modules.training.optimizer_options import apply_given_options


def made(rate: float, beta: float = 0.9) -> tuple[torch.optim.Optimizer, WarmupSchedule]:
    optimizer = torch.optim.Adam([nn.Parameter(torch.ones(2))], lr=rate, betas=(beta, 0.999))
    schedule = WarmupSchedule(optimizer, warmup_steps=0)
    schedule.plan(10)
    return optimizer, schedule


def advance(optimizer: torch.optim.Optimizer, schedule: WarmupSchedule, steps: int) -> None:
    for _ in range(steps):
        optimizer.param_groups[0]["params"][0].grad = torch.ones(2)
        optimizer.step()
        schedule.step()


@pytest.mark.parametrize(("rate", "beta"), [(0.1, 0.9), (0.4, 0.5)])
def test_given_options_win_and_the_schedule_goes_on(rate: float, beta: float) -> None:
    optimizer, schedule = made(0.1)
    advance(optimizer, schedule, 4)
    resumed, resumed_schedule = made(rate, beta)
    resumed.load_state_dict(optimizer.state_dict())
    resumed_schedule.load_state_dict(schedule.state_dict())
    apply_given_options(resumed, [resumed_schedule])
    group = resumed.param_groups[0]
    assert group["lr"] == pytest.approx(rate * 0.6)
    assert group["betas"] == (beta, 0.999)
    assert int(resumed.state[group["params"][0]]["step"]) == 4
    advance(resumed, resumed_schedule, 1)
    assert group["lr"] == pytest.approx(rate * 0.5)


def test_a_longer_plan_counts_after_a_resume() -> None:
    optimizer, schedule = made(0.1)
    advance(optimizer, schedule, 10)
    assert optimizer.param_groups[0]["lr"] == 0.0
    resumed, resumed_schedule = made(0.1)
    resumed.load_state_dict(optimizer.state_dict())
    resumed_schedule.load_state_dict(schedule.state_dict())
    resumed_schedule.plan(20)
    apply_given_options(resumed, [resumed_schedule])
    assert resumed.param_groups[0]["lr"] == pytest.approx(0.05)
    advance(resumed, resumed_schedule, 5)
    assert resumed.param_groups[0]["lr"] == pytest.approx(0.025)


@pytest.mark.parametrize(
    "schedule",
    [
        partial(CyclicLR, base_lr=1e-5, max_lr=1e-3, step_size_up=4),
        partial(CyclicLR, base_lr=1e-5, max_lr=1e-3, step_size_up=4, cycle_momentum=False),
        partial(OneCycleLR, max_lr=1e-2, total_steps=12),
    ],
)
def test_what_a_schedule_sets_by_itself_goes_on(schedule: Callable[[torch.optim.Optimizer], LRScheduler]) -> None:
    def rates(optimizer: torch.optim.Optimizer, made: LRScheduler, steps: int) -> list[tuple[float, float]]:
        told = []
        for _ in range(steps):
            told.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["betas"][0]))
            optimizer.step()
            made.step()
        return told

    def start() -> tuple[torch.optim.Optimizer, LRScheduler]:
        optimizer = torch.optim.Adam([nn.Parameter(torch.ones(2))], lr=0.5, weight_decay=0.25)
        return optimizer, schedule(optimizer)

    whole = rates(*start(), steps=10)
    optimizer, made = start()
    assert rates(optimizer, made, 5) == whole[:5]
    resumed, resumed_schedule = start()
    saved = optimizer.state_dict()
    saved["param_groups"][0]["weight_decay"] = 0.0
    resumed.load_state_dict(saved)
    resumed_schedule.load_state_dict(made.state_dict())
    apply_given_options(resumed, [resumed_schedule])
    assert resumed.param_groups[0]["weight_decay"] == 0.25
    assert rates(resumed, resumed_schedule, 5) == whole[5:]
