"""An experiment for Python: the model, the data and the Trainer that ``seqlab fit`` would run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import lightning as L
from lightning.pytorch.callbacks import Callback
from typing_extensions import override

from experiments.config.given_values import typed
from experiments.config.known_classes import import_parts
from experiments.runs.ending import ending
from experiments.runs.lightning_cli import SeqlabCLI
from experiments.runs.lightning_notices import without_lightning_notices
from experiments.storage.layout import CHECKPOINTS, LAST_CHECKPOINT
from experiments.storage.run_directory import alone_in, make_run, reserved_run
from lightning_modules.training.trainer_parts import callbacks_of


class Experiment(NamedTuple):
    """What ``seqlab fit`` would run: ``model, data, trainer = load_experiment(...)``.

    Attributes:
        model: With its initial weights.
        data: Its data module.
        trainer: ``trainer.fit(model, data)`` trains as ``seqlab fit`` does; its run's directory is
            ``trainer.default_root_dir``, and is made then.
    """

    model: L.LightningModule
    data: L.LightningDataModule
    trainer: L.Trainer


class RunTrainer(L.Trainer):
    """Lightning's Trainer, which makes the run's directory when it begins, and holds it while it trains."""

    _made: SeqlabCLI | None = None
    _is_begun = False

    @override
    def fit(
        self,
        model: L.LightningModule,
        train_dataloaders: Any | L.LightningDataModule | None = None,
        val_dataloaders: Any | None = None,
        datamodule: L.LightningDataModule | None = None,
        ckpt_path: str | Path | None = None,
        weights_only: bool | None = None,
    ) -> None:
        if self._made is not None:
            ckpt_path = ckpt_path or self._made.config_init["fit"].ckpt_path
        self.begin()
        run = Path(self.default_root_dir)
        sole: AbstractContextManager[None] = (
            alone_in(run, "load the experiment again") if self.is_global_zero else nullcontext()
        )
        last = run / CHECKPOINTS / LAST_CHECKPOINT
        tries = bool(self.fast_dev_run)  # type: ignore[attr-defined]  # a connector sets it
        with without_lightning_notices(), ending(self, last, os.getppid(), tries), sole:
            super().fit(model, train_dataloaders, val_dataloaders, datamodule, ckpt_path, weights_only)

    def keep(self, made: SeqlabCLI) -> None:
        """Takes what made the trainer along.

        Args:
            made: Knows the checkpoint to resume from, and holds the directory of a trial.
        """
        self._made = made
        self._is_begun = Path(self.default_root_dir).is_dir()
        callbacks_of(self).insert(0, _Beginning(self))

    def begin(self, loggers_have_begun: bool = False) -> None:
        """Makes the run's directory, unless it was there before.

        Args:
            loggers_have_begun: Whether one of them may have made it already.

        Raises:
            UserError: Another process has made it in the meantime, or it cannot be made.
        """
        if self.is_global_zero and not self._is_begun:
            make_run(Path(self.default_root_dir), may_be_there=loggers_have_begun)
            self._is_begun = True


class _Beginning(Callback):
    """Begins the run where a test or a validation comes before the training."""

    def __init__(self, trainer: RunTrainer) -> None:
        self._trainer = trainer

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        self._trainer.begin(loggers_have_begun=True)


class _ExperimentCLI(SeqlabCLI):
    """The command line up to the moment at which it would run, with a directory that is made later."""

    trainer_type = RunTrainer

    def _new_run(self, root: Path, experiment: str, version: str | None) -> Path:
        return reserved_run(root, experiment, version, self._begun_run, self._typed)

    def _run_subcommand(self, subcommand: str) -> None:
        self.before_fit()


def load_experiment(configs: Sequence[Path], options: Mapping[str, object] | Sequence[str]) -> Experiment:
    """Makes what ``seqlab fit`` would run, without running it.

    Args:
        configs: Config files, at least one; later ones win.
        options: Those of the command line, as ``["--trainer.max_epochs=1"]``, or by their names, as
            ``{"trainer.max_epochs": 1}``; they win over all files.

    Raises:
        UserError: Whatever ``seqlab fit`` would refuse.
    """
    words = ["fit", *(f"--config={path}" for path in configs)]
    if isinstance(options, Mapping):
        words += [f"--{name.removeprefix('--')}={typed(value)}" for name, value in options.items()]
    else:
        words += [word if word.startswith("-") or "=" not in word else f"--{word}" for word in options]
    import_parts()
    with without_lightning_notices():
        made = _ExperimentCLI(words)
    if made.datamodule is None or not isinstance(made.trainer, RunTrainer):
        raise TypeError("SeqlabCLI makes data and the trainer of its type")
    made.trainer.keep(made)
    return Experiment(made.model, made.datamodule, made.trainer)
