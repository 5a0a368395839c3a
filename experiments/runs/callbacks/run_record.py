"""What a run was made with: its resolved config, versions, commit, machine and data."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Protocol, runtime_checkable

import lightning as L
import torch
import yaml
from lightning.pytorch.cli import SaveConfigCallback

from experiments.runs.directory import CONFIG

PACKAGES = (
    "seqlab",
    "torch",
    "lightning",
    "torchmetrics",
    "wandb",
    "jsonargparse",
    "numpy",
    "sentencepiece",
    "sacrebleu",
)


@runtime_checkable
class FingerprintedData(Protocol):
    """A data module that can tell what is in it."""

    def fingerprints(self) -> dict[str, str]:
        """The hash (hex) of each split's content."""


class RunRecord(SaveConfigCallback):
    """Writes ``config.yaml`` and ``record.json`` into the run's directory, and logs both, when training starts.

    Other commands on the run leave both files as they are.
    """

    def save_config(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Writes and logs; called on rank zero."""
        if stage != "fit":
            return
        run = Path(trainer.default_root_dir)
        config = self.parser.dump(self.config, skip_none=False)
        (run / CONFIG).write_text(config, encoding="utf-8")
        record = run_record(trainer)
        (run / "record.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        for logger in trainer.loggers:
            logger.log_hyperparams({**yaml.safe_load(config), "record": record})


def run_record(trainer: L.Trainer) -> dict[str, object]:
    """Versions, commit, command, machine and data of a run."""
    data = trainer.datamodule  # type: ignore[attr-defined]
    return {
        "command": " ".join(["seqlab", *sys.argv[1:]]),
        "commit": _commit(),
        "versions": {package: version(package) for package in PACKAGES},
        "python": platform.python_version(),
        "machine": {
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "devices": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
        },
        "data": data.fingerprints() if isinstance(data, FingerprintedData) else {},
    }


def _commit() -> str | None:
    """The commit of the source that runs; None where it is no checkout."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip()
