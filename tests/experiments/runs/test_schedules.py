"""Schedules that are stepped after epochs and validations, through a config, in trainings that resume."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
import yaml
from torch import Tensor

from experiments.cli import main
from tests.experiments.test_bad_input import told
from tests.experiments.tiny_task import write_tiny_task

RATE = 0.006
HALVING = {"class_path": "torch.optim.lr_scheduler.StepLR", "init_args": {"step_size": 1, "gamma": 0.5}}
PLATEAU = {
    "class_path": "torch.optim.lr_scheduler.ReduceLROnPlateau",
    "init_args": {"threshold": 0.9, "patience": 0, "factor": 0.5},
}
"""The loss never gets better by nine tenths: it falls at each step after the first."""


@pytest.fixture
def config(tmp_path: Path, seed: int) -> Path:
    """Four batches an epoch."""
    return write_tiny_task(tmp_path, seed, train_size=128)


def fit(config: Path, name: str, *words: object) -> None:
    short = {
        "default_root_dir": config.parent / name,
        "log_every_n_steps": 1,
        "logger": "experiments.loggers.MetricsCSV",
        "callbacks": "experiments.callbacks.LastCheckpoints",
    }
    options = [f"--trainer.{key}={value}" for key, value in short.items()]
    assert main(["fit", "--config", str(config), *options, *map(str, words)]) == 0


def learning_rates(config: Path, name: str) -> list[float]:
    with (config.parent / name / "tiny" / "1" / "metrics.csv").open(newline="") as file:
        return [float(row["train/learning_rate"]) for row in csv.DictReader(file) if row["train/learning_rate"]]


def weights(config: Path, name: str) -> dict[str, Tensor]:
    last = config.parent / name / "tiny" / "1" / "checkpoints" / "last.ckpt"
    return torch.load(last, weights_only=True)["state_dict"]


def timed(config: Path, schedule: dict[str, object], **arguments: object) -> list[object]:
    """The words for a config that times a schedule."""
    path = config.parent / "timed.yaml"
    part = {"class_path": "TimedSchedule", "init_args": {"schedule": schedule, **arguments}}
    path.write_text(yaml.safe_dump({"model": {"init_args": {"scheduler": part}}}))
    return ["--config", path]


@pytest.mark.parametrize(
    ("schedule", "arguments", "interval", "stop", "powers"),
    [
        (HALVING, {"frequency": 2}, 1.0, "max_epochs=2", [0, 0, 1]),
        (HALVING, {"interval": "step", "frequency": 3}, 1.0, "max_epochs=1", [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]),
        (HALVING, {"interval": "validation"}, 0.5, "max_steps=6", [0, 1, 2, 3, 4, 5]),
        (PLATEAU, {"monitor": "val/loss"}, 0.5, "max_steps=6", [0, 0, 1, 2, 3, 4]),
        (PLATEAU, {"monitor": "val/loss"}, 0.5, "max_epochs=2", [0, 0, 1, 2, 3, 4]),
    ],
)
def test_the_rate_is_the_schedule_s_also_where_a_training_resumes(
    schedule: dict[str, object],
    arguments: dict[str, object],
    interval: float,
    stop: str,
    powers: list[int],
    config: Path,
) -> None:
    words = [*timed(config, schedule, **arguments), f"--trainer.val_check_interval={interval}"]
    fit(config, "whole", *words, "--trainer.max_epochs=3")
    fit(config, "parts", *words, f"--trainer.{stop}")
    fit(config, "parts", *words, "--trainer.max_epochs=3", "--ckpt_path=last")
    each = 12 // len(powers)
    expected = [RATE * 0.5**power for power in powers for _ in range(each)]
    assert learning_rates(config, "whole") == pytest.approx(expected)
    assert learning_rates(config, "parts") == learning_rates(config, "whole")
    whole = weights(config, "whole")
    assert all(torch.equal(value, whole[name]) for name, value in weights(config, "parts").items())


def test_a_plateau_of_a_training_without_validation_is_stepped_after_each_epoch(config: Path) -> None:
    words = timed(config, PLATEAU, monitor="train/loss")
    fit(config, "runs", *words, "--trainer.max_epochs=3", "--trainer.limit_val_batches=0")
    assert learning_rates(config, "runs") == pytest.approx([RATE * 0.5**power for power in (0, 0, 1) for _ in range(4)])


def test_a_schedule_with_rates_of_its_own_has_them_from_the_first_update(config: Path) -> None:
    """The optimizer's rate is another one; after the fourth update the training resumes."""
    schedule = {
        "class_path": "torch.optim.lr_scheduler.CyclicLR",
        "init_args": {"base_lr": 0.001, "max_lr": 0.003, "step_size_up": 2},
    }
    words = timed(config, schedule, interval="step")
    fit(config, "whole", *words, "--trainer.max_epochs=2")
    fit(config, "parts", *words, "--trainer.max_epochs=1")
    fit(config, "parts", *words, "--trainer.max_epochs=2", "--ckpt_path=last")
    assert learning_rates(config, "whole") == pytest.approx([0.001, 0.002, 0.003, 0.002] * 2)
    assert learning_rates(config, "parts") == learning_rates(config, "whole")
    whole = weights(config, "whole")
    assert all(torch.equal(value, whole[name]) for name, value in weights(config, "parts").items())


def test_an_unknown_metric_is_told_before_training(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = told(capsys, "fit", "--config", config, *timed(config, PLATEAU, monitor="val/los"))
    assert "model.init_args.scheduler monitors 'val/los', which this experiment does not log: did you mean" in line
    assert not list(config.parent.glob("runs/tiny/*"))
