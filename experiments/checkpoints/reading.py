"""Checkpoints from disk: checked byte by byte, and read without running anything that they hold."""

from __future__ import annotations

import pickle
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from types import NoneType
from typing import Any, BinaryIO
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import torch
from torch import Tensor

from datamodules.errors import UserError, suggest
from experiments.checkpoints.quantising import restored
from experiments.config.class_paths import check_class_paths
from experiments.config.own_modules import look_in_working_directory
from experiments.config.renamed import renewed
from experiments.storage.layout import LAST_CHECKPOINT, in_its_place, runs_below
from experiments.storage.shell import quoted

TRAINING_STATE = ("optimizer_states", "lr_schedulers", "callbacks")
"""What a checkpoint has for training to resume from it, and nothing else needs: two thirds of it, with Adam."""

_ZIP_MAGIC = b"PK\x03\x04"
_VERSION_KEY = "pytorch-lightning_version"
_PLAIN = (str, bytes, bytearray, int, float, complex, NoneType, Tensor, torch.dtype, torch.device)
_DEEPEST = 100  # levels of dicts and lists in each other; what holds itself has more of them
_AGAIN = "copy it again, or take another checkpoint of the run"


def read_checkpoint(path: Path, trusted: Sequence[str] = (), unused: Collection[str] = ()) -> dict[str, Any]:
    """Reads the checkpoint of a run onto the CPU.

    Nothing of it runs: the file's checksums are verified, then only tensors and plain values are unpickled, and every
    class that it names is checked before any is imported (see :mod:`experiments.config.class_paths`).

    Args:
        path: The file.
        trusted: Packages whose classes it may name, besides the project's own.
        unused: Keys that are left out: nothing that they name is imported.

    Raises:
        UserError: The file is missing, damaged or no checkpoint of a run, holds a pickled object, or names a class
            that is not trusted.
    """
    checkpoint = load_archive(path)
    if not isinstance(checkpoint, dict):
        raise UserError(f"{path} is a torch file, but no checkpoint of a run: it holds a {type(checkpoint).__name__}")
    for key in ("state_dict", _VERSION_KEY):
        if key not in checkpoint:
            raise UserError(f"{path} is a torch file, but no checkpoint of a run: it has no {key!r}")
    checkpoint = restored(renewed(checkpoint), path)
    weights = checkpoint["state_dict"]
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise UserError(f"{path} is no checkpoint of a run: its 'state_dict' holds other things than tensors")
    if trusted:
        look_in_working_directory()
    try:
        check_class_paths(checkpoint, trusted, unused)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    return {key: value for key, value in checkpoint.items() if key not in unused}


def check_resumable(checkpoint: Mapping[str, Any], path: Path) -> None:
    """Refuses a checkpoint that was kept without the state of its training.

    Args:
        checkpoint: As read.
        path: Where it was read; one that training can resume from lies beside it, as a rule.

    Raises:
        UserError: Training cannot resume from it.
    """
    if is_resumable(checkpoint):
        return
    last = path.parent / LAST_CHECKPOINT
    instead = f"resume from {last}" if last.is_file() else "resume from a checkpoint of an epoch"
    raise UserError(
        f"--ckpt_path {path} has the weights alone, no state of the optimizer: {instead}, or begin anew with these "
        f"weights by --init_from {path}"
    )


def is_resumable(checkpoint: Mapping[str, Any]) -> bool:
    """Whether training can resume from a checkpoint: the best one and an average have not what that needs."""
    return "optimizer_states" in checkpoint


def load_archive(path: Path) -> Any:  # noqa: ANN401 - whatever torch.save was given
    """Loads any file of ``torch.save`` onto the CPU, after a check of its checksums, without unpickling objects.

    Args:
        path: The file.

    Raises:
        UserError: The file is missing, damaged or not of ``torch.save``, or holds a pickled object.
    """
    with _open(path) as file:
        _check_archive(path, file)
        file.seek(0)
        try:
            content = torch.load(file, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise _pickled(path, file) from error
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}") from error
        except Exception as error:  # the checksums hold, but it was not made by torch, whose reader may raise anything
            raise _unreadable(path) from error
    if not _is_plain(content):
        raise _unreadable(path)
    return content


def _is_plain(value: object, depth: int = 0) -> bool:
    """Whether it is a tensor or a plain value, or dicts and lists of such: torch's reader lets more through."""
    if depth > _DEEPEST:
        return False
    if isinstance(value, dict):
        return all(_is_plain(key, depth + 1) and _is_plain(entry, depth + 1) for key, entry in value.items())
    if isinstance(value, list | tuple | set):
        return all(_is_plain(entry, depth + 1) for entry in value)
    return isinstance(value, _PLAIN)


def _open(path: Path) -> BinaryIO:
    if path.is_dir():
        raise UserError(f"{path} is a directory: {in_its_place(path)}")
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        directory = path.parent
        if not directory.is_dir():
            close = get_close_matches(directory.name, [other.name for other in directory.parent.glob("*/")])
            hint = f", did you mean {quoted(directory.with_name(close[0]))}?" if close else ""
            raise UserError(f"there is no checkpoint {path}: the directory {directory} does not exist{hint}") from error
        known = [other.name for other in directory.glob("*.ckpt")]
        if known:
            hint = suggest(path.name, known)
        elif runs := runs_below(directory):
            hint = f"there are the runs {runs}"
        else:
            hint = f"{directory.absolute()} has no *.ckpt at all"
        raise UserError(f"there is no checkpoint {path}; {hint}") from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error


def _check_archive(path: Path, file: BinaryIO) -> None:
    """Compares every record with its CRC-32."""
    magic = file.read(len(_ZIP_MAGIC))
    if not magic:
        raise UserError(f"{path} is empty: {_AGAIN}")
    try:
        with ZipFile(file) as archive:
            records = archive.infolist()
            bad = next((record.filename for record in records if not _is_stored(record)), None) or archive.testzip()
    except (BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError, OSError) as error:
        if magic != _ZIP_MAGIC:
            raise UserError(f"{path} is not a checkpoint: give a .ckpt file that a run wrote") from error
        raise UserError(f"{path} is truncated or damaged ({_first_line(error)}): {_AGAIN}") from error
    if not any(record.filename.endswith("/data.pkl") for record in records):
        raise UserError(f"{path} is a zip file, but not a checkpoint: give a .ckpt file that a run wrote")
    if bad is not None:
        raise UserError(f"{path} is damaged: the record {bad!r} is not what was written; {_AGAIN}")


def _is_stored(record: ZipInfo) -> bool:
    """Whether a record is as torch writes all of them: not compressed, and without attributes.

    The checksum says nothing of these, and torch reads no data at all where the attributes call a record a directory.
    """
    return record.compress_type == ZIP_STORED and record.external_attr == 0


def _pickled(path: Path, file: BinaryIO) -> UserError:
    """The error for a file with more than tensors and plain values."""
    file.seek(0)
    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(file)
    except Exception:  # the names are only for the message
        names = []
    if not names:
        return _unreadable(path)
    return UserError(
        f"{path} holds pickled objects ({', '.join(sorted(names))}), which could run code: nothing of it was loaded; "
        "seqlab's checkpoints hold tensors and plain values only, so save it anew without them"
    )


def _unreadable(path: Path) -> UserError:
    return UserError(f"{path} cannot be read as tensors and plain values: nothing of it was loaded; {_AGAIN}")


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
