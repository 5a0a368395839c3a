"""Searches written for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.experiments.tiny_task import write_tiny_task

LR = "model.init_args.optimizer.init_args.lr"

TINY: dict[str, Any] = {
    "metric": "val/loss",
    "mode": "min",
    "parameters": {LR: {"low": 1e-5, "high": 0.03, "log": True}},
}


def write_search(folder: Path, **changes: object) -> Path:
    """Writes a search over the learning rate.

    Args:
        folder: Where; its experiment is an empty file beside it.
        changes: What it says otherwise; None takes a key out.
    """
    experiment = folder / "base.yaml"
    experiment.touch()
    content = {"experiment": str(experiment), **TINY, **changes}
    path = folder / "tiny_search.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not None}))
    return path


def write_tiny_search(folder: Path, seed: int, **changes: object) -> Path:
    """Writes a search over the learning rate of the tiny task, in short trainings.

    Args:
        folder: Where.
        seed: Seed of the task.
        changes: What the search says otherwise.
    """
    options = {
        "trainer.max_epochs": 4,
        "trainer.logger": [{"class_path": "experiments.loggers.MetricsCSV"}],
        "trainer.callbacks": [
            {
                "class_path": "lightning.pytorch.callbacks.ModelCheckpoint",
                "init_args": {"filename": "best", "save_last": True, "enable_version_counter": False},
            }
        ],
        "model.init_args.scheduler.init_args.warmup_steps": 2,
        "data.init_args.batch_size": 16,
    }
    config = write_tiny_task(folder, seed, train_size=300)
    return write_search(folder, experiment=str(config), options=options, **changes)
