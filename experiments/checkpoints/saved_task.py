"""The task that a checkpoint of music was trained for, made again of the checkpoint alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datamodules.errors import UserError
from datamodules.music.tasks.task import MusicTask
from experiments.checkpoints.reading import read_checkpoint
from experiments.config.class_paths import DATA_HYPERPARAMETERS, resolve
from experiments.config.parts import make_part
from experiments.storage.layout import find_checkpoint


def is_of_music(path: Path, trusted: Sequence[str] = ()) -> bool:
    """Whether a checkpoint says that it was trained on a task of music; data of a class that is not trusted have none.

    Args:
        path: A checkpoint that can be read but for its data.
        trusted: Packages whose classes the checkpoint may name, besides the project's own.
    """
    try:
        return _kind(read_checkpoint(path, trusted)) is not None
    except UserError:
        return False


def trained_task(path: Path, trusted: Sequence[str] = ()) -> MusicTask:
    """Makes the task.

    Args:
        path: A checkpoint, or the directory of a run: then its best one.
        trusted: Packages whose classes the checkpoint may name, besides the project's own.

    Raises:
        UserError: The checkpoint cannot be read, or was not trained on music.
    """
    path = find_checkpoint(path)
    checkpoint = read_checkpoint(path, trusted)
    data: Mapping[str, Any] = checkpoint.get(DATA_HYPERPARAMETERS) or {}
    kind = _kind(checkpoint)
    if kind is None:
        raise UserError(f"{path} was trained on {data.get('_class_path', 'other data')}, not on music: give another")
    try:
        task: MusicTask = make_part(kind, data["task"].get("init_args", {}))
    except TypeError as error:
        raise UserError(f"{path} has a task with other arguments than {kind.__name__} takes: {error}") from error
    return task


def _kind(checkpoint: Mapping[str, Any]) -> type[MusicTask] | None:
    """The class of the task that a checkpoint's data have; None where they have none of music."""
    given = (checkpoint.get(DATA_HYPERPARAMETERS) or {}).get("task")
    if not (isinstance(given, Mapping) and "class_path" in given):
        return None
    kind = resolve(given["class_path"])
    return kind if isinstance(kind, type) and issubclass(kind, MusicTask) else None
