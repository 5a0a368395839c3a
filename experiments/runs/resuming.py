"""From which checkpoint a command begins, and whether training can resume from those that it will write."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_info

from datamodules.errors import UserError
from experiments.callbacks.checkpoints import BestCheckpoint
from experiments.checkpoints.finding import meant_checkpoint, newest_checkpoint
from experiments.config.class_paths import resolve
from experiments.storage.layout import RUNS, has_checkpoint, last_begun_run, newest_run
from experiments.storage.shell import quoted, shown


class Beginning(NamedTuple):
    """Where a command begins.

    Attributes:
        checkpoint: The checkpoint; None where a training begins anew.
        run: The run in which ``--ckpt_path last`` begins, where it has its directory already.
    """

    checkpoint: Path | None
    run: Path | None = None


def chosen_checkpoint(subcommand: str, settings: Any) -> Beginning:  # noqa: ANN401 - jsonargparse's namespace is untyped
    """Finds the checkpoint that a command's options mean.

    Args:
        subcommand: The command.
        settings: Its options, as parsed.

    Raises:
        UserError: There is none where there has to be one.
    """
    root = Path(settings.trainer.default_root_dir or RUNS)
    given = settings.ckpt_path
    if subcommand == "fit" and settings.version is not None:
        last = newest_checkpoint(root / settings.experiment / settings.version)
        if last is not None or given == "last":
            return Beginning(last)
    if subcommand != "fit":
        return Beginning(meant_checkpoint(given or "best", root, settings.experiment))
    if given is None:
        return Beginning(None)
    if given == "last":
        run = last_begun_run(root, settings.experiment)
        last = newest_checkpoint(run) if run else None
        if last is None:
            before = newest_run(root, settings.experiment)
            if run is not None and has_checkpoint(run) and not keeps_training_state(settings.trainer):
                run = None  # all that it has of its training is its best checkpoint
            rank_zero_info(_begins(run, newest_checkpoint(before) if before else None))
        return Beginning(last, run)
    of_run = newest_checkpoint(Path(given))  # of a run's directory: of a file there is none
    return Beginning(of_run or meant_checkpoint(given, root, settings.experiment))


def check_epochs(checkpoint: Mapping[str, Any], most: int | None) -> None:
    """Refuses to resume from a checkpoint of a later epoch than the trainer is to train, as Lightning does."""
    trained = checkpoint.get("epoch")
    if isinstance(trained, int) and most is not None and 0 <= most < trained:
        raise UserError(
            f"trainer.max_epochs is {most}, but --ckpt_path is a checkpoint of epoch {trained + 1}: raise it to resume"
        )


def keeps_training_state(trainer: Any) -> bool:  # noqa: ANN401 - jsonargparse's namespace is untyped
    """Whether a config says which checkpoints to write that training can resume from, or none at all.

    Args:
        trainer: The trainer's options, with its callbacks as parsed or as made.
    """
    callbacks = trainer.callbacks if isinstance(trainer.callbacks, list) else [trainer.callbacks]
    kinds = [
        resolve(callback.class_path) if hasattr(callback, "class_path") else type(callback)
        for callback in callbacks
        if callback is not None
    ]
    writers = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, ModelCheckpoint)]
    return not writers or any(not issubclass(kind, BestCheckpoint) for kind in writers)


def _begins(run: Path | None, other: Path | None) -> str:
    """What is said where ``--ckpt_path last`` finds no checkpoint.

    Args:
        run: The run in which it begins anew, if there is one.
        other: The last checkpoint of another run, if there is one.
    """
    if run is None:
        return "--ckpt_path last: there is no run yet to resume, training begins"
    line = f"--ckpt_path last: {shown(run)} has no checkpoint yet, training begins in it anew"
    return line if other is None else f"{line} (to resume the run before: --ckpt_path {quoted(other)})"
