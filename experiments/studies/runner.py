"""Runs what a study has planned: ``seqlab fit`` and ``seqlab test`` in processes of their own, several at once."""

from __future__ import annotations

import shlex
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tqdm import tqdm

from datamodules.errors import RunFailed, UserError
from experiments.processes.command_pool import CommandPool, Interrupted
from experiments.storage.commit import source_commit
from experiments.storage.layout import find_checkpoint
from experiments.studies.measure import last_checkpoint, measured, run_since
from experiments.studies.plan import Key, PlannedRun
from experiments.studies.results import FAILED, FINISHED, STARTED, Results, Row, same_run

LOGS = "logs"
"""Where the output of each run goes, in the study's directory."""


class NotTried(RunFailed):
    """A run was not begun: it was refused with another seed."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        planned: The run.
        seconds: How long it took, its test included.
        error: What went wrong, in one line; empty where nothing did.
        tried: False where it was not begun, because it was refused with another seed.
    """

    planned: PlannedRun
    seconds: float
    error: str = ""
    tried: bool = True


class Runner:
    """Runs of one study, each at most once at a time, with a row in the results from their start.

    Other processes may run the same study at the same time: what one of them holds is left to it.

    A run that was begun before with the same command, configs and commit resumes from its last checkpoint; else it
    begins anew, in a directory of its own. A run that fails does not stop the others. Where a command is refused, or
    does not log what is compared, its variant is not tried with other seeds.

    Args:
        results: Gets the rows.
        directory: The study's own.
        group: The runs' group in W&B.
        jobs: How many run at once.
    """

    def __init__(self, results: Results, directory: Path, group: str, jobs: int) -> None:
        self._results = results
        self._logs = directory / LOGS
        self._jobs = jobs
        self._commands = CommandPool(group, jobs)
        self._commit = source_commit() or ""
        self._lock = threading.Lock()
        self._refused: dict[tuple[str, str], int] = {}
        self._before: dict[Key, Row | None] = {}

    def run(self, runs: Sequence[PlannedRun], total: int, finished: int) -> list[Outcome]:
        """Runs, and shows a progress bar.

        Args:
            runs: What is to be run, in this order.
            total: Number of all runs that the bar is over.
            finished: How many of them are finished.

        Returns:
            How each run ended, in the order in which they did; not those that other processes have.

        Raises:
            KeyboardInterrupt: The study was told to end; every run under way has written what it can resume from.
        """
        outcomes: list[Outcome] = []
        self._before = {planned.key: self._results.get(planned.key) for planned in runs}
        self._logs.mkdir(parents=True, exist_ok=True)
        with (
            tqdm(total=total, initial=finished, desc="runs", unit="run", disable=None) as bar,
            ThreadPoolExecutor(self._jobs) as executor,
            self._commands.ended_with(executor),
        ):
            waiting = _by_start(runs)
            under_way = {executor.submit(self._run, planned): planned for planned in waiting.pop(None, [])}
            while under_way:
                ended, _ = wait(under_way, timeout=1, return_when=FIRST_COMPLETED)
                for future in ended:
                    bar.update()
                    for after in waiting.pop(under_way.pop(future).key, []):
                        under_way[executor.submit(self._run, after)] = after
                    outcome = future.result()
                    if outcome is None:
                        continue
                    outcomes.append(outcome)
                    if outcome.tried:
                        bar.write(_outcome_line(outcome), file=sys.stderr)
                bar.refresh()
        return outcomes

    def _run(self, planned: PlannedRun) -> Outcome | None:
        """One run, unless another process holds it, or had it to its end since this one began."""
        with self._results.held(planned) as mine:
            row = self._results.get(planned.key)
            if not mine or (self._results.ended(planned) and row != self._before[planned.key]):
                return None
            if planned.start and not self._results.ended(planned.start):
                return None  # another process has its start, and all that begins from it
            return self._held(planned)

    def _held(self, planned: PlannedRun) -> Outcome:
        """One run from its start to its row."""
        begun, tried = time.monotonic(), True
        try:
            self._check_wanted(planned)
            row = self._train(planned)
        except (RunFailed, UserError) as failure:
            row = {**self._begun(planned), "status": FAILED, "error": str(failure)}
            tried = not isinstance(failure, NotTried)
            if isinstance(failure, UserError):
                with self._lock:
                    self._refused.setdefault((planned.panel, planned.variant), planned.seed)
        self._results.put(planned.key, row)
        return Outcome(planned, time.monotonic() - begun, row.get("error", ""), tried)

    def _check_wanted(self, planned: PlannedRun) -> None:
        with self._lock:
            seed = self._refused.get((planned.panel, planned.variant))
        if self._commands.stopped:
            raise Interrupted
        if seed is not None:
            raise NotTried(f"not tried: it was refused with seed {seed}")
        if planned.start and self._results.finished(planned.start) is None:
            raise NotTried(f"not tried: {planned.start.title}, from which it begins, failed")

    def _train(self, planned: PlannedRun) -> Row:
        row = self._begun(planned)
        run = run_since(row["started"], planned.parent) if row["started"] else None
        resumed = last_checkpoint(run)
        if resumed is None:
            row |= {"started": datetime.now(UTC).isoformat(timespec="seconds"), "seconds": ""}
        self._results.put(planned.key, row)
        begun = time.monotonic()
        log = self._logs / f"{planned.parent.name}.log"
        words = planned.words_from(row["init_from"])
        kind = {"WANDB_JOB_TYPE": f"{planned.panel} {planned.variant}".strip()}  # W&B groups a variant's seeds by it
        self._commands.run([*words, *(["--ckpt_path", str(resumed)] if resumed else [])], log, environment=kind)
        if resumed is None:
            row["seconds"] = f"{time.monotonic() - begun:.1f}"
        run = run_since(row["started"], planned.parent)
        if run is None:
            raise RunFailed(f"it left no run directory in {planned.parent}")
        test = planned.test_words(run)
        if test:
            self._commands.run(test, log, "more", kind)
            row["test_command"] = shlex.join(["seqlab", *test])
        cells = measured(planned, run)
        if planned.start:
            before = self._results.get(planned.start.key)
            cells["updates"] = str(int(cells["updates"]) + int(before["updates"] if before else 0))
        return {**row, "status": FINISHED, "run": str(run), **cells}

    def _first_weights(self, planned: PlannedRun) -> str:
        """The checkpoint that a run begins from; empty for none, or where its start failed."""
        row = self._results.finished(planned.start) if planned.start else None
        return str(find_checkpoint(Path(row["run"]))) if row else ""

    def _begun(self, planned: PlannedRun) -> Row:
        """The cells of a run that has not ended; what is known of it where it was begun before with this source."""
        weights = self._first_weights(planned)
        row = {
            "status": STARTED,
            "started": "",
            "seconds": "",
            "init_from": weights,
            "command": planned.command_from(weights),
            "configs": planned.configs,
            "commit": self._commit,
        }
        before = self._results.get(planned.key)
        if before is not None and same_run(before, planned) and before["commit"] == self._commit:
            row |= {name: before.get(name, "") for name in ("started", "seconds")}
        return row


def _by_start(runs: Sequence[PlannedRun]) -> dict[Key | None, list[PlannedRun]]:
    """Runs by that which they have to wait for, as it is one of them; None for nothing."""
    keys = {planned.key for planned in runs}
    groups: dict[Key | None, list[PlannedRun]] = {}
    for planned in runs:
        start = planned.start.key if planned.start else None
        groups.setdefault(start if start in keys else None, []).append(planned)
    return groups


def _outcome_line(outcome: Outcome) -> str:
    """One line on a run that ended."""
    if outcome.error:
        return f"{outcome.planned.title}: failed: {outcome.error}"
    return f"{outcome.planned.title}: finished in {outcome.seconds:.0f} s"
