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


def trained_task(path: Path, trusted: Sequence[str] = ()) -> MusicTask:
    """Makes the task.

    Args:
        path: A checkpoint, or the directory of a run: then its best one.
        trusted: Packages whose classes the checkpoint may name, besides the project's own.

    Raises:
        UserError: The checkpoint cannot be read, or was not trained on music.
    """
    path = find_checkpoint(path)
    data: Mapping[str, Any] = read_checkpoint(path, trusted).get(DATA_HYPERPARAMETERS) or {}
    given = data.get("task")
    described: Mapping[str, Any] = given if isinstance(given, Mapping) and "class_path" in given else {}
    kind = resolve(described["class_path"]) if described else None
    if not (isinstance(kind, type) and issubclass(kind, MusicTask)):
        raise UserError(f"{path} was trained on {data.get('_class_path', 'other data')}, not on music: give another")
    try:
        task: MusicTask = make_part(kind, described.get("init_args", {}))
    except TypeError as error:
        raise UserError(f"{path} has a task with other arguments than {kind.__name__} takes: {error}") from error
    return task
