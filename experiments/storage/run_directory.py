"""The directory of a run: ``runs/<experiment>/<version>/``."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from datamodules.errors import UserError
from experiments.processes.agreement import rank_zero_decides, started_by_torchrun
from experiments.storage.layout import CONFIG, METRICS, RECORD

DIRECTORY_VARIABLE = "SEQLAB_RUN_DIRECTORY"
"""Set by rank zero for the processes that it starts, so that all of them have the same directory."""


_RESERVED: set[Path] = set()
"""Directories that this process has chosen for runs that have not begun."""


def new_run(
    root: Path, experiment: str, version: str | None = None, begun: Path | None = None, command: str = ""
) -> Path:
    """Makes the directory of a version of the experiment, the next one if none is given, or takes one that was begun.

    In a job of SLURM the version is the job's id, the same through all requeues; a job that begins several runs of an
    experiment has ID-2 and so on for the others. Rank zero decides: the processes that it started, and those that
    torchrun started beside it, take its directory.

    Args:
        root: Where runs are kept.
        experiment: Name of the experiment.
        version: Its directory may be there already.
        begun: The directory of a run that was begun, and is to be begun anew; none for a new one.
        command: What the run's record says was typed: by it a requeued job finds each of its runs.

    Raises:
        UserError: A name is none, or the directory cannot be made.
    """
    version = _checked_version(root, experiment, version, command)
    if started_by_torchrun():
        return Path(rank_zero_decides("run directory", lambda: str(begun or _make_run(root, experiment, version))))
    if "LOCAL_RANK" in os.environ and (given := os.environ.get(DIRECTORY_VARIABLE)):
        return Path(given)
    path = begun or _make_run(root, experiment, version)
    os.environ[DIRECTORY_VARIABLE] = str(path)
    return path


def reserved_run(
    root: Path, experiment: str, version: str | None = None, begun: Path | None = None, command: str = ""
) -> Path:
    """Chooses the directory of a version as :func:`new_run` does, and leaves it to :func:`make_run` to make it.

    Args:
        root: Where runs are kept.
        experiment: Name of the experiment.
        version: Its directory may be there already.
        begun: The directory of a run that was begun, and is to be begun anew; none for a new one.
        command: What the run's record will say was typed.

    Raises:
        UserError: A name is none.
    """
    version = _checked_version(root, experiment, version, command)
    if "LOCAL_RANK" in os.environ and (given := os.environ.get(DIRECTORY_VARIABLE)):
        return Path(given)
    if begun is None and version is None:
        version = str(_next_number(root / experiment))
    path = begun or root / experiment / str(version)
    _RESERVED.add(path.absolute())
    os.environ[DIRECTORY_VARIABLE] = str(path)
    return path


def make_run(path: Path, may_be_there: bool = False) -> None:
    """Makes a directory that was reserved.

    Args:
        path: From :func:`reserved_run`.
        may_be_there: Whether this process may have made it already.

    Raises:
        UserError: It is there by now, or cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=may_be_there)
    except FileExistsError as error:
        raise UserError(
            f"{path} was begun by another training in the meantime: load the experiment again, to get the next version"
        ) from error
    except OSError as error:
        raise UserError(
            f"cannot make the run directory {path}: {error.strerror}; give another place with trainer.default_root_dir"
        ) from error


def _checked_version(root: Path, experiment: str, version: str | None, command: str) -> str | None:
    """The name of a version's directory; None where it is the next number.

    Raises:
        UserError: A name is none.
    """
    if not experiment or Path(experiment).is_absolute() or ".." in Path(experiment).parts:
        raise UserError(f"--experiment '{experiment}' is no name: runs are kept in {root}/NAME")
    if version is None:
        job = os.environ.get("SLURM_JOB_ID")
        return _version_in_job(root / experiment, job, command) if job else None
    if Path(version).name != version or version in ("", ".."):
        raise UserError(f"--version '{version}' is no name: the run is kept in {root / experiment}/VERSION")
    return version


def _version_in_job(parent: Path, job: str, command: str) -> str:
    """The version of a run in a job of SLURM that does not say which: a name that the job has not used yet.

    In a requeued job it is that of the run which the same command began. All processes of a run find the same one: what
    tells that a run was begun is written when they have met.

    Args:
        parent: The experiment's directory.
        job: The job's id.
        command: What was typed.
    """
    is_requeued = os.environ.get("SLURM_RESTART_COUNT", "0") != "0"
    for number in itertools.count(1):
        version = job if number == 1 else f"{job}-{number}"
        run = parent / version
        has_begun = (run / CONFIG).is_file() or (run / METRICS).is_file()
        if is_requeued and has_begun and _command_of(run) == command:
            break
        if not has_begun and run.absolute() not in _RESERVED:
            break
    return version


def _command_of(run: Path) -> str | None:
    """What was typed to begin a run; None where it has no record."""
    record = run / RECORD
    told = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    command: str | None = told.get("command")
    return command


def _make_run(root: Path, experiment: str, version: str | None) -> Path:
    parent = root / experiment
    try:
        parent.mkdir(parents=True, exist_ok=True)
        if version is not None:
            path = parent / version
            path.mkdir(exist_ok=True)
            return path
        return _next_version(parent)
    except OSError as error:
        raise UserError(
            f"cannot make a run directory in {parent}: {error.strerror}; give another place with "
            "--trainer.default_root_dir"
        ) from error


def _next_version(parent: Path) -> Path:
    version = _next_number(parent)
    while True:
        try:
            (parent / str(version)).mkdir()
        except FileExistsError:
            version += 1
        else:
            return parent / str(version)


def _next_number(parent: Path) -> int:
    """The number after those of the versions that there are, or that this process has reserved."""
    reserved = {path for path in _RESERVED if path.parent == parent.absolute()}
    return 1 + max((int(path.name) for path in (*parent.glob("*"), *reserved) if path.name.isdigit()), default=0)


@contextmanager
def alone_in(run: Path, otherwise: str) -> Iterator[None]:
    """Holds a run's directory for one training; the operating system lets go of it when the process ends.

    Args:
        run: The run's directory.
        otherwise: What leads to another directory, for the error: what the user gave that led to this one.

    Raises:
        UserError: Another training holds it, or nothing can be written there.
    """
    lock = FileLock(run / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(f"another seqlab fit trains in {run}: wait for its end, or {otherwise}") from None
    except OSError as error:
        raise UserError(
            f"cannot write in {run}: {error.strerror}; begin from its checkpoint elsewhere, with --init_from"
        ) from error
    try:
        yield
    finally:
        lock.release()
