"""The mean of several checkpoints of one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from datamodules.errors import UserError
from experiments.checkpoints.quantising import RESTORED, is_quantised
from experiments.checkpoints.reading import TRAINING_STATE, read_checkpoint
from experiments.checkpoints.saved_tokenizers import saved_tokenizers
from experiments.config.class_paths import DATA_HYPERPARAMETERS
from experiments.storage.layout import CHECKPOINTS, runs_below

_SOURCES_KEY = "averaged_from"


def average_checkpoints(paths: Sequence[Path], trusted: Sequence[str] = ()) -> dict[str, Any]:
    """Averages the weights of checkpoints of one run.

    Everything but the weights comes from the checkpoint with the most steps, whatever the order of the paths; so do
    integer buffers. The state of the training stays behind: it belongs to other weights. At most two checkpoints are in
    memory at a time, beside the sums in double precision.

    Args:
        paths: The checkpoints, at least one.
        trusted: Packages whose classes they may name, besides the project's own.

    Returns:
        A checkpoint for all but resuming the training. Under ``averaged_from`` it has the names of its sources.

    Raises:
        UserError: One cannot be read or is given twice, or they differ in keys, shapes, hyperparameters or
            tokenizers, so that they are not of one run.
    """
    if not paths:
        raise UserError("there is nothing to average: give at least one checkpoint")
    for path in paths:
        if sum(other.resolve() == path.resolve() for other in paths) > 1:
            raise UserError(f"{path} is given twice: name each checkpoint once")
    latest = read_checkpoint(paths[0], trusted)
    latest_path = paths[0]
    sums = {name: weight.double() for name, weight in latest["state_dict"].items() if weight.is_floating_point()}
    for path in paths[1:]:
        checkpoint = read_checkpoint(path, trusted)
        _check_same_run(latest, latest_path, checkpoint, path)
        for name, total in sums.items():
            total += checkpoint["state_dict"][name]
        if checkpoint.get("global_step", 0) >= latest.get("global_step", 0):
            latest, latest_path = checkpoint, path
    weights = latest["state_dict"]
    kept = {key: value for key, value in latest.items() if key not in (*TRAINING_STATE, RESTORED)}
    return {**kept, "state_dict": _means(weights, sums, len(paths)), _SOURCES_KEY: [path.name for path in paths]}


def last_checkpoints(directory: Path, count: int, trusted: Sequence[str] = ()) -> list[Path]:
    """The checkpoints of a run with the most steps, one for each step; averages and quantised ones are left out.

    Args:
        directory: The run's directory, or its ``checkpoints``.
        count: How many.
        trusted: Packages whose classes they may name, besides the project's own.

    Returns:
        The files, fewest steps first.

    Raises:
        UserError: There are fewer, or one cannot be read.
    """
    found = checkpoints_by_step(directory, trusted)
    if len(found) < count:
        raise UserError(f"{directory} has checkpoints of {len(found)} steps, not {count}: ask for at most as many")
    return found[-count:]


def checkpoints_by_step(directory: Path, trusted: Sequence[str] = ()) -> list[Path]:
    """All checkpoints of a run, one for each step, fewest steps first; averages and quantised ones are left out.

    Args:
        directory: The run's directory, or its ``checkpoints``.
        trusted: Packages whose classes they may name, besides the project's own.

    Raises:
        UserError: There is no such directory, or a checkpoint in it cannot be read.
    """
    if not directory.is_dir():
        raise UserError(f"there is no directory {directory}: give the directory of a run")
    inner = directory / CHECKPOINTS
    folder = inner if inner.is_dir() else directory
    by_step: dict[int, Path] = {}
    for path in sorted(folder.glob("*.ckpt")):
        checkpoint = read_checkpoint(path, trusted)
        if _SOURCES_KEY not in checkpoint and not is_quantised(checkpoint):
            by_step[checkpoint.get("global_step", 0)] = path
    if not by_step and (runs := runs_below(directory)):
        raise UserError(f"{directory} is no run: give one of its runs, {runs}")
    return [by_step[step] for step in sorted(by_step)]


def _means(weights: Mapping[str, Tensor], sums: Mapping[str, Tensor], count: int) -> dict[str, Tensor]:
    """Sums over count, in the precision of the weights; tensors that share memory, as tied ones do, still share it."""
    means: dict[tuple[object, ...], Tensor] = {}
    averaged = {}
    for name, weight in weights.items():
        if name not in sums:
            averaged[name] = weight
            continue
        place = (weight.untyped_storage().data_ptr(), weight.storage_offset(), weight.shape, weight.stride())
        if place not in means:
            means[place] = (sums[name] / count).to(weight.dtype)
        averaged[name] = means[place]
    return averaged


def _check_same_run(one: Mapping[str, Any], one_path: Path, other: Mapping[str, Any], other_path: Path) -> None:
    """Raises a UserError that names the first difference."""
    _check_same_weights(one["state_dict"], one_path, other["state_dict"], other_path)
    for key in ("hyper_parameters", DATA_HYPERPARAMETERS):
        difference = _difference(one.get(key), other.get(key), key)
        if difference is not None:
            raise _not_one_run(one_path, other_path, difference)
    if saved_tokenizers(one) != saved_tokenizers(other):
        raise _not_one_run(one_path, other_path, "their tokenizers")


def _check_same_weights(
    one: Mapping[str, Tensor], one_path: Path, other: Mapping[str, Tensor], other_path: Path
) -> None:
    for name in sorted(one.keys() ^ other.keys()):
        raise _not_one_run(one_path, other_path, f"{name}, which only {one_path if name in one else other_path} has")
    for name, weight in one.items():
        if weight.shape != other[name].shape:
            shapes = f"{tuple(weight.shape)} and {tuple(other[name].shape)}"
            raise _not_one_run(one_path, other_path, f"the shape of {name}: {shapes}")
        if weight.dtype != other[name].dtype:
            raise _not_one_run(one_path, other_path, f"the type of {name}: {weight.dtype} and {other[name].dtype}")


def _not_one_run(one: Path, other: Path, difference: str) -> UserError:
    return UserError(f"{one} and {other} differ in {difference}; average checkpoints of one run")


def _difference(one: object, other: object, where: str) -> str | None:
    """The first place in which two nested values differ, with both; None where they are equal."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in [*one, *(key for key in other if key not in one)]:
            inner = _difference(one.get(key), other.get(key), f"{where}.{key}")
            if inner is not None:
                return inner
        return None
    return None if one == other else f"{where}: {one!r} and {other!r}"
