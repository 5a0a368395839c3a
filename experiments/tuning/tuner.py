"""Runs the trials of a search: each a ``seqlab fit`` in a process of its own, several at once."""

from __future__ import annotations

import sys
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState
from tqdm import tqdm

from datamodules.errors import RunFailed, UserError
from experiments.config.named_classes import check_named_classes
from experiments.processes.command_pool import CommandPool, Interrupted
from experiments.studies.measure import last_checkpoint, logged_value, run_since
from experiments.tuning.results import write_results
from experiments.tuning.shared_trials import RUNS, SUCCEEDED, HeldTrial, SharedTrials, is_pruned, title
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
        check_named_classes([self._search.words(self._search.example()), *self._search.choices()])
        words = [*self._search.words(self._search.example()), "--print_config"]
        self._commands.run(words, self._logs / "check.log")

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
                self._train(trial)
            run = self._run_of(trial)
            pruned = is_pruned(self._trials.get(trial.number))
            value = None if pruned else logged_value(self._search.measure, run)
            return self._trials.finish(trial.number, value, run)
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

    def _train(self, trial: HeldTrial) -> None:
        words = [
            *self._search.words(trial.drawn),
            *("--experiment", title(trial.number)),
            *("--trainer.default_root_dir", str(self._trials.directory / RUNS)),
        ]
        resumed = last_checkpoint(run_since(EVER, trial.parent))
        if resumed is not None:
            words += ["--ckpt_path", str(resumed)]
        environment = {TRIAL_VARIABLE: str(self._trials.directory.absolute() / str(trial.number))}
        self._commands.run(words, self._logs / f"{title(trial.number)}.log", "more", environment)

    def _run_of(self, trial: HeldTrial) -> Path:
        run = run_since(EVER, trial.parent)
        if run is None:
            raise RunFailed(f"it left no run directory in {trial.parent}")
        return run

    def _ended(self) -> int:
        return sum(trial.state.is_finished() for trial in self._trials.all())

    def _outcome(self, trial: FrozenTrial) -> str:
        """One line on a trial that ended."""
        if trial.state == TrialState.FAIL:
            return f"trial {trial.number}: failed: {trial.user_attrs['error']}"
        name, best = self._search.metric, self._trials.best()
        standing = "" if best is None else f" (best: {best.value:.4g}, trial {best.number})"
        if is_pruned(trial):
            return f"trial {trial.number}: pruned after {len(trial.intermediate_values)} validations{standing}"
        return f"trial {trial.number}: {name} {trial.value:.4g}{standing}"
