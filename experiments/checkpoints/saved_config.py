"""What a checkpoint says of its model and data, between the config files and the overrides of a command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities import rank_zero_info

from datamodules.errors import UserError
from experiments.config.class_paths import DATA_HYPERPARAMETERS, resolve
from experiments.config.links import LINKED


def saved_config(checkpoint: Mapping[str, Any], subcommand: str) -> dict[str, Any]:
    """What a checkpoint says of the model and, when training is resumed, of the data and the seed, as a config.

    Args:
        checkpoint: As read.
        subcommand: The subcommand of seqlab; ``fit`` resumes training.
    """
    config: dict[str, Any] = {}
    if subcommand == "fit" and (seed := _saved_seed(checkpoint)) is not None:
        config["seed_everything"] = seed
    for part, saved in _saved_parts(checkpoint, subcommand).items():
        if "_class_path" in saved:
            arguments = {
                name: value for name, value in saved.items() if not name.startswith("_") and name not in LINKED
            }
            config[part] = {"class_path": saved["_class_path"], "init_args": arguments}
    return config


def _saved_parts(checkpoint: Mapping[str, Any], subcommand: str) -> dict[str, Mapping[str, Any]]:
    """The arguments of the model and, when training is resumed, of the data, their class among them."""
    keys = (
        {"model": "hyper_parameters", "data": DATA_HYPERPARAMETERS}
        if subcommand == "fit"
        else {"model": "hyper_parameters"}
    )
    return {part: checkpoint.get(key) or {} for part, key in keys.items()}


def check_same_parts(settings: Any, checkpoint: Mapping[str, Any], path: Path, subcommand: str) -> None:  # noqa: ANN401 - untyped
    """Refuses a checkpoint of another model, or when training is resumed of other data, than config and options say.

    Args:
        settings: What was parsed for the subcommand.
        checkpoint: As read.
        path: Path of the checkpoint, for the message.
        subcommand: The subcommand of seqlab.

    Raises:
        UserError: The classes differ.
    """
    for part, saved in _saved_parts(checkpoint, subcommand).items():
        given, had = settings.get(f"{part}.class_path"), saved.get("_class_path")
        if given is not None and had is not None and resolve(given) is not resolve(had):
            raise UserError(
                f"--ckpt_path {path} was trained with {part} {had}, but the config says {given}: give the config of "
                "its run, or a checkpoint of this experiment"
            )


def check_same_seed(settings: Any, checkpoint: Mapping[str, Any], path: Path, is_named: bool) -> None:  # noqa: ANN401 - untyped
    """Refuses to resume a training with another seed than it began with, unless the user named its checkpoint.

    Whoever says ``last``, or a version, means the training of this very command: a loop over seeds would train the
    first of them alone, and have the others' names written over it. With a checkpoint that is named it is a warning.

    Args:
        settings: What was parsed for ``fit``, what the checkpoint says already in it: it has another seed only where
            the command line says so.
        checkpoint: As read.
        path: Path of the checkpoint, for the message.
        is_named: Whether the user gave that path.

    Raises:
        UserError: The seeds differ.
    """
    had, given = _saved_seed(checkpoint), settings.seed_everything
    if had is None or given == had:
        return
    if not is_named:
        raise UserError(
            f"{path} was trained with --seed_everything {had}, but the command says {given}: leave the seed out to "
            f"resume it, or give a training with seed {given} an --experiment of its own"
        )
    rank_zero_info(
        f"seqlab: warning: --ckpt_path {path} was trained with --seed_everything {had}; from here on batches and "
        f"dropout are those of seed {given}"
    )


def _saved_seed(checkpoint: Mapping[str, Any]) -> int | None:
    """The seed of a training, which its data had too; None where the data have none."""
    seed = (checkpoint.get(DATA_HYPERPARAMETERS) or {}).get("seed")
    return seed if isinstance(seed, int) else None


def with_config(arguments: list[str], config: dict[str, Any]) -> list[str]:
    """The arguments with one more config after the last that they give, before the overrides that follow it.

    Args:
        arguments: The words of the command line, the subcommand first.
        config: What is added.
    """
    position = 1
    for index, word in enumerate(arguments):
        if word in ("-c", "--config"):
            position = index + 2
        elif word.startswith("--config="):
            position = index + 1
    return [*arguments[:position], "--config", json.dumps(config), *arguments[position:]]
