"""What a run was made with: its resolved config, versions, commit, machine and data."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Protocol, runtime_checkable

import lightning as L
import yaml
from jsonargparse import Namespace
from lightning.pytorch.cli import LightningArgumentParser, SaveConfigCallback

from experiments.processes.machine import machine
from experiments.storage.commit import source_commit
from experiments.storage.durable import durable_write
from experiments.storage.fingerprints import order_fingerprint, parameter_fingerprints
from experiments.storage.layout import CONFIG, RECORD
from lightning_modules.training.trainer_parts import data_of

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

    Args:
        parser: Writes the config.
        config: Config of the run.
        command: What was typed, or would have been.
        save_to_log_dir: Whether Lightning writes a file of its own.
    """

    def __init__(
        self, parser: LightningArgumentParser, config: Namespace, command: str, save_to_log_dir: bool = False
    ) -> None:
        super().__init__(parser, config, save_to_log_dir=save_to_log_dir)
        self._command = command

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Writes when training starts, also where a validation came before it."""
        if stage == "fit":
            super().setup(trainer, pl_module, stage)

    def save_config(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Writes and logs; called on rank zero.

        Raises:
            RunFailed: A file cannot be written, for example on a full disk.
        """
        run = Path(trainer.default_root_dir)
        config = self.parser.dump(self.config, skip_unset=False, skip_validation=True)  # parsing has checked it
        with durable_write(run / CONFIG) as file:
            file.write(config.encode())
        record = run_record(trainer, self._command)
        with durable_write(run / RECORD) as file:
            file.write((json.dumps(record, indent=2) + "\n").encode())
        told = {name: value for name, value in record.items() if name != "initial_parameters"}  # a column for each name
        for logger in trainer.loggers:
            logger.log_hyperparams({**yaml.safe_load(config), "record": told})


def run_record(trainer: L.Trainer, command: str) -> dict[str, object]:
    """Versions, commit, command, machine and data of a run, and how it begins.

    ``initial_parameters`` and ``data_order`` are hashes: two runs that shall differ in one part can be compared in all
    others.
    """
    data = data_of(trainer)
    model = trainer.lightning_module
    return {
        "command": command,
        "commit": source_commit(),
        "versions": {package: version(package) for package in PACKAGES},
        "python": platform.python_version(),
        "machine": machine(),
        "data": data.fingerprints() if isinstance(data, FingerprintedData) else {},
        "data_order": order_fingerprint(data.train_dataloader()) if data else None,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "initial_parameters": parameter_fingerprints(model),
    }
