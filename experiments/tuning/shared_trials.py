"""The trials of a search, in a directory that many jobs share."""

from __future__ import annotations

import random
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from filelock import BaseFileLock, FileLock, Timeout
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from datamodules.errors import RunFailed, UserError
from experiments.storage.layout import CHECKPOINTS, LAST_CHECKPOINT
from experiments.tuning.search import Search

RUNS = "runs"
"""Where the trials' runs are, in the search's directory."""

LOCKS = "locks"
"""Where each trial has a file that is locked while a job runs it: the operating system unlocks it when the job ends."""

JOURNAL = "journal.log"

STUDY = "search"
"""The one study in the journal."""

MOST_STARTS = 3
"""How often a trial begins at the same place: what was killed there so often would be again, for want of memory."""

SUCCEEDED = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True)
class HeldTrial:
    """A trial that this job runs, and no other.

    Attributes:
        number: Counted from 0.
        drawn: Its parameters, as Optuna has them.
        parent: The directory in which its run directory is made.
        pruned: Whether it has been ended already: its job was killed before it could say so.
    """

    number: int
    drawn: dict[str, Any]
    parent: Path
    pruned: bool = False


class SharedTrials:
    """Draws trials, and keeps what comes of them. Threads, processes and hosts may share the directory.

    A trial whose job was killed is run by the next job that asks, under its number.

    Args:
        directory: Where everything of the search is kept; made if missing.
        search: The search.

    Raises:
        UserError: The directory holds another search, or cannot be written to.
    """

    def __init__(self, directory: Path, search: Search) -> None:
        self.directory = directory
        self.search = search
        self._distributions = search.distributions
        try:
            (directory / LOCKS).mkdir(parents=True, exist_ok=True)
            with self.alone():
                self._storage = open_journal(directory)
                self._study = self._opened()
        except OSError as error:
            raise UserError(f"cannot write to {directory}: {error.strerror}; give another --storage") from error

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps the other jobs from drawing and from writing results, for a moment."""
        with FileLock(self.directory / ".lock"):
            yield

    def all(self) -> list[FrozenTrial]:
        """All trials that were begun, those of other jobs among them."""
        return [trial for trial in self._study.get_trials() if len(trial.params) == len(self._distributions)]

    def best(self) -> FrozenTrial | None:
        """The best of those that went on to their end; None where none did."""
        return self._study.best_trial if self._study.get_trials(states=[TrialState.COMPLETE]) else None

    def mine(self, limit: int) -> Generator[HeldTrial]:
        """Trials for this job, each held until the next is asked for: those whose jobs were killed, then new ones.

        Args:
            limit: How many trials the search has, of all jobs together.
        """
        while True:
            with self.alone():
                taken = self._orphan() or self._new(limit)
            if taken is None:
                return
            trial, lock = taken
            try:
                yield trial
            finally:
                lock.release()

    def begin(self, number: int) -> None:
        """Notes that a trial begins, or is resumed.

        Args:
            number: Number of the trial, from 0.

        Raises:
            RunFailed: It began at the same place too often.
        """
        starts = [*self._starts(number), _place(self._parent(number))]
        if starts[-MOST_STARTS - 1 :].count(starts[-1]) > MOST_STARTS:
            raise RunFailed(f"its job was killed {MOST_STARTS} times at the same place")
        self._note(number, "starts", starts)

    def interrupt(self, number: int) -> None:
        """Notes that a trial was told to end: its start does not count as one that was killed.

        Args:
            number: Number of the trial, from 0.
        """
        self._note(number, "starts", self._starts(number)[:-1])

    def get(self, number: int) -> FrozenTrial:
        """A trial as it is now.

        Args:
            number: Number of the trial, from 0.
        """
        return self._storage.get_trial(self._id(number))

    def report(self, number: int, step: int, value: float) -> bool:
        """Reports how a trial does that is under way, and notes whether it is to be pruned.

        Args:
            number: Number of the trial, from 0.
            step: How much of it is done, from 0; other trials are compared at the same step.
            value: Its value so far.

        Returns:
            Whether it is.
        """
        self._storage.set_trial_intermediate_value(self._id(number), step, value)
        pruner = self.search.pruner
        if pruner is None or not pruner.made().prune(self._study, self.get(number)):
            return False
        self._note(number, "pruned", step)
        return True

    def finish(self, number: int, value: float | None, run: Path) -> FrozenTrial:
        """Notes the value of a trial.

        Args:
            number: Number of the trial, from 0.
            value: Its value; None for one that was ended early: the last that it reported counts.
            run: Its run directory.
        """
        self._note(number, "run", str(run))
        return self._study.tell(number, value, TrialState.PRUNED if value is None else TrialState.COMPLETE)

    def fail(self, number: int, error: str) -> FrozenTrial:
        """Notes that a trial failed.

        Args:
            number: Number of the trial, from 0.
            error: Why, in one line.
        """
        self._note(number, "error", error)
        return self._study.tell(number, state=TrialState.FAIL)

    def _opened(self) -> optuna.Study:
        """The study in the journal. One without trials may be of another search: it is made anew."""
        identity = self.search.identity()
        study = self._created()
        kept = study.user_attrs.get("identity")
        if kept == identity:
            return study
        if kept is not None:
            if study.get_trials():
                different = [part for part in identity if identity[part] != kept.get(part)]
                told = ", ".join("what its config files say" if part == "configs" else part for part in different)
                raise UserError(f"{self.directory} holds another search (it differs in {told}): give another --storage")
            optuna.delete_study(study_name=STUDY, storage=self._storage)
            study = self._created()
        study.set_user_attr("search", self.search.model_dump(mode="json"))
        study.set_user_attr("identity", identity)
        return study

    def _created(self) -> optuna.Study:
        direction = StudyDirection.MAXIMIZE if self.search.mode == "max" else StudyDirection.MINIMIZE
        return optuna.create_study(storage=self._storage, study_name=STUDY, direction=direction, load_if_exists=True)

    def _orphan(self) -> tuple[HeldTrial, BaseFileLock] | None:
        """A trial that is under way, but that no job holds."""
        for trial in self._study.get_trials(states=[TrialState.RUNNING]):
            lock = self._lock(trial.number)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            if self.get(trial.number).state.is_finished():  # by the job that held it until just now
                lock.release()
                continue
            if len(trial.params) == len(self._distributions):
                return HeldTrial(trial.number, trial.params, self._parent(trial.number), is_pruned(trial)), lock
            self.fail(trial.number, "its job was killed while its parameters were drawn")
            lock.release()
        return None

    def _new(self, limit: int) -> tuple[HeldTrial, BaseFileLock] | None:
        """A new trial; None where there are enough."""
        if len(self.all()) >= limit:
            return None
        # Each number has a generator of its own: jobs that began with one seed would draw the same.
        seed = random.Random(f"{self.search.seed} {len(self._study.get_trials())}").getrandbits(32)
        self._study.sampler = optuna.samplers.TPESampler(seed=seed)
        trial = self._study.ask(self._distributions)
        lock = self._lock(trial.number)
        lock.acquire()
        return HeldTrial(trial.number, trial.params, self._parent(trial.number)), lock

    def _starts(self, number: int) -> list[str]:
        """Where a trial began, each time that it did."""
        return list(self.get(number).user_attrs.get("starts", []))

    def _lock(self, number: int) -> BaseFileLock:
        return FileLock(self.directory / LOCKS / f"{number}.lock")

    def _parent(self, number: int) -> Path:
        return self.directory / RUNS / title(number)

    def _id(self, number: int) -> int:
        return trial_id(self._storage, number)

    def _note(self, number: int, name: str, value: object) -> None:
        self._storage.set_trial_user_attr(self._id(number), name, value)


def open_journal(directory: Path) -> JournalStorage:
    """Opens what a search keeps of its trials.

    Args:
        directory: The search's.

    Raises:
        UserError: The file is of another kind.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = directory / JOURNAL
    try:
        return JournalStorage(JournalFileBackend(str(path)))
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is not the journal of a search: move it away, or give another --storage") from error


def trial_id(storage: JournalStorage, number: int) -> int:
    """The id under which a journal has a trial.

    Args:
        storage: The journal.
        number: Number of the trial, from 0.
    """
    return storage.get_trial_id_from_study_id_trial_number(storage.get_study_id_from_name(STUDY), number)


def is_pruned(trial: FrozenTrial) -> bool:
    """Whether a trial was ended early, or is being ended."""
    return trial.state == TrialState.PRUNED or "pruned" in trial.user_attrs


def title(number: int) -> str:
    """What a trial is called, its experiment as well."""
    return f"trial-{number:04d}"


def _place(parent: Path) -> str:
    """Where a trial would resume from: a word that changes with its last checkpoint."""
    written = [
        path.stat().st_mtime_ns for path in parent.parent.glob(f"{parent.name}*/*/{CHECKPOINTS}/{LAST_CHECKPOINT}")
    ]
    return str(max(written, default=0))
