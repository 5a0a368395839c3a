"""Runs the trials of a search: each a ``seqlab fit`` in a process of its own, several at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

from optuna.trial import FrozenTrial, TrialState
from tqdm import tqdm

from datamodules.errors import RunFailed, UserError
from experiments.config.named_classes import check_named_classes
from experiments.processes.command_pool import CommandPool, Interrupted
from experiments.studies.measure import last_checkpoint, logged_value, run_since
from experiments.studies.study import slug
from experiments.tuning.results import write_results
from experiments.tuning.shared_trials import RUNS, SUCCEEDED, HeldTrial, SharedTrials, is_pruned
from experiments.tuning.trial_variable import TRIAL_VARIABLE

LOGS = "logs"
"""Where the output of each trial goes, in the search's directory."""

EVER = datetime.fromtimestamp(0, UTC).isoformat()
"""A time before every run."""

MOST_FAILURES = 5
"""A search ends where so many trials failed and none succeeded."""


class Tuner:
    """Takes trials until there are enough, beside other jobs that do the same.

    A trial that fails does not stop the others, unless none has succeeded: where a command is refused then, or so many
    have failed, it is not for the parameters that were drawn.

    Args:
        trials: The search's trials.
        jobs: How many run at once in this one.
    """

    def __init__(self, trials: SharedTrials, jobs: int) -> None:
        self._trials = trials
        self._search = trials.search
        self._logs = trials.directory / LOGS
        self._jobs = jobs
        self._commands = CommandPool(f"tune-{trials.search.name}", jobs)

    def check(self) -> None:
        """Has a first command parsed, and does not run it: a key that the experiment does not have fails here.

        So does a class of one's own that is not found, in whichever choice it is.

        Raises:
            UserError: It is refused.
            RunFailed: It failed.
        """
        self._logs.mkdir(exist_ok=True)
        commands = [self._search.words(self._search.example(), training) for training in self._search.trainings]
        check_named_classes([*commands, *self._search.choices()])
        for words in commands:
            self._commands.run([*words, "--print_config"], self._logs / "check.log")

    def run(self, limit: int) -> None:
        """Runs trials, and shows a progress bar over the whole search, the trials of other jobs among them.

        Args:
            limit: How many trials the search has.

        Raises:
            UserError: A trial was refused, and none had succeeded.
            RunFailed: Trials failed, and none had succeeded.
            KeyboardInterrupt: The search was told to end; every trial under way has written what it can resume from.
        """
        self._logs.mkdir(exist_ok=True)
        with (
            tqdm(total=limit, initial=self._ended(), desc="trials", unit="trial", disable=None) as bar,
            ThreadPoolExecutor(self._jobs) as executor,
            self._commands.ended_with(executor),
        ):
            workers: set[Future[None]] = {executor.submit(self._work, limit, bar) for _ in range(self._jobs)}
            while workers:
                ended, workers = wait(workers, timeout=1, return_when=FIRST_COMPLETED)
                for worker in ended:
                    worker.result()
                bar.n = self._ended()
                bar.refresh()

    def _work(self, limit: int, bar: tqdm) -> None:
        """What each of the threads does."""
        with closing(self._trials.mine(limit)) as mine:
            for trial in mine:
                try:
                    bar.write(self._outcome(self._run(trial)), file=sys.stderr)
                finally:
                    write_results(self._trials)

    def _run(self, trial: HeldTrial) -> FrozenTrial:
        """One trial from its start, or from where it was interrupted, to its value."""
        if self._commands.stopped:
            raise Interrupted
        try:
            if not trial.pruned:
                self._trials.begin(trial.number)
                self._train_all(trial)
            runs = self._runs_of(trial)
            pruned = is_pruned(self._trials.get(trial.number))
            value = None if pruned else self._mean(runs)
            return self._trials.finish(trial.number, value, runs[-1])
        except Interrupted:
            self._trials.interrupt(trial.number)
            raise
        except (RunFailed, UserError) as failure:
            told = self._trials.fail(trial.number, str(failure))
            states = [each.state for each in self._trials.all()]
            if not any(state in SUCCEEDED for state in states):
                if isinstance(failure, UserError):
                    raise
                if states.count(TrialState.FAIL) >= MOST_FAILURES:
                    raise RunFailed(
                        f"{MOST_FAILURES} trials failed, and none succeeded; the last one: {failure}"
                    ) from None
            return told

    def _train_all(self, trial: HeldTrial) -> None:
        """Trains on each of the trial's data sets, unless it is pruned after one of them."""
        runs: list[Path] = []
        for step, training in enumerate(self._search.trainings):
            is_done = step in self._trials.get(trial.number).intermediate_values and self._search.panels
            if not is_done:
                self._train(trial, training)
            run = self._run_of(trial, training)
            if run is None or is_pruned(self._trials.get(trial.number)):
                return
            runs.append(run)
            is_last = len(runs) == len(self._search.trainings)
            if not (is_done or is_last) and self._trials.report(trial.number, step, self._mean(runs)):
                return

    def _train(self, trial: HeldTrial, training: str) -> None:
        words = [
            *self._search.words(trial.drawn, training),
            *("--experiment", self._parent_of(trial, training).name),
            *("--trainer.default_root_dir", str(self._trials.directory / RUNS)),
        ]
        resumed = last_checkpoint(self._run_of(trial, training))
        if resumed is not None:
            words += ["--ckpt_path", str(resumed)]
        place = str(self._trials.directory.absolute() / str(trial.number))
        environment = {} if self._search.panels else {TRIAL_VARIABLE: place}
        log = f"{self._parent_of(trial, training).name}.log"
        self._commands.run(words, self._logs / log, "more", environment)

    def _parent_of(self, trial: HeldTrial, training: str) -> Path:
        """The directory in which the run of one of a trial's trainings is made."""
        return trial.parent.with_name(f"{trial.parent.name}-{slug(training)}") if training else trial.parent

    def _run_of(self, trial: HeldTrial, training: str) -> Path | None:
        return run_since(EVER, self._parent_of(trial, training))

    def _runs_of(self, trial: HeldTrial) -> list[Path]:
        runs = [run for training in self._search.trainings if (run := self._run_of(trial, training))]
        if not runs:
            raise RunFailed(f"it left no run directory in {trial.parent}")
        return runs

    def _mean(self, runs: Sequence[Path]) -> float:
        """The mean of the metric over runs."""
        return fmean(logged_value(self._search.measure, run) for run in runs)

    def _ended(self) -> int:
        return sum(trial.state.is_finished() for trial in self._trials.all())

    def _outcome(self, trial: FrozenTrial) -> str:
        """One line on a trial that ended."""
        if trial.state == TrialState.FAIL:
            return f"trial {trial.number}: failed: {trial.user_attrs['error']}"
        name, best = self._search.metric, self._trials.best()
        standing = "" if best is None else f" (best: {best.value:.4g}, trial {best.number})"
        if is_pruned(trial):
            unit = "panels" if self._search.panels else "validations"
            return f"trial {trial.number}: pruned after {len(trial.intermediate_values)} {unit}{standing}"
        return f"trial {trial.number}: {name} {trial.value:.4g}{standing}"
