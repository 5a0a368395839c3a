"""Runs what a study has planned: ``seqlab fit`` and ``seqlab test`` in processes of their own, several at once."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from datamodules.errors import RunFailed, UserError
from experiments.runs.commit import source_commit
from experiments.studies.measure import measured, run_since
from experiments.studies.plan import PlannedRun
from experiments.studies.processes import send, start_seqlab
from experiments.studies.results import FAILED, FINISHED, STARTED, Results, Row, same_run

LOGS = "logs"
"""Where the output of each run goes, in the study's directory."""

REFUSED = 2
"""The exit status of a command that is wrong in itself: it would be refused with every seed."""

ERROR = "seqlab: error: "
"""How seqlab begins to tell an error."""


class Interrupted(Exception):
    """A run ended because the study was told to end."""


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

    A run that was begun before with the same command, configs and commit goes on from its last checkpoint; else it
    begins anew, in a directory of its own. A run that fails does not stop the others. Where a command is refused, or
    does not log what is compared, its variant is not tried with other seeds.

    Args:
        results: Gets the rows.
        directory: The study's own.
        group: The runs' group in W&B.
        jobs: How many run at once. The cores are divided among them: OpenMP's threads of two processes on the same
            cores slow each other several times over. OMP_NUM_THREADS, where it is set, stays.
    """

    def __init__(self, results: Results, directory: Path, group: str, jobs: int) -> None:
        self._results = results
        self._logs = directory / LOGS
        self._jobs = jobs
        threads = max(1, _cores() // jobs)
        self._threads = None if "OMP_NUM_THREADS" in os.environ else threads
        self._environment = {"OMP_NUM_THREADS": str(threads), **os.environ, "WANDB_RUN_GROUP": group}
        self._commit = source_commit() or ""
        self._lock = threading.Lock()
        self._processes: set[BaseProcess] = set()
        self._refused: dict[tuple[str, str], int] = {}
        self._stopped = False

    def run(self, runs: Sequence[PlannedRun], total: int) -> list[Outcome]:
        """Runs, and shows a progress bar over the whole study.

        Args:
            runs: What is to be run, in this order.
            total: Number of all runs of the study, the finished ones among them.

        Returns:
            How each run ended, in the order in which they did.

        Raises:
            KeyboardInterrupt: The study was told to end; every run under way has written what it can go on from.
        """
        outcomes: list[Outcome] = []
        self._logs.mkdir(parents=True, exist_ok=True)
        with (
            tqdm(total=total, initial=total - len(runs), desc="runs", unit="run", disable=None) as bar,
            ThreadPoolExecutor(self._jobs) as executor,
        ):
            try:
                under_way: set[Future[Outcome]] = {executor.submit(self._run, planned) for planned in runs}
                while under_way:
                    ended, under_way = wait(under_way, timeout=1, return_when=FIRST_COMPLETED)
                    for future in ended:
                        outcomes.append(future.result())
                        bar.update()
                        if outcomes[-1].tried:
                            bar.write(_told(outcomes[-1]), file=sys.stderr)
                    bar.refresh()
            except BaseException:
                self._stopped = True
                try:
                    self._stop(signal.SIGINT)
                    executor.shutdown(cancel_futures=True)
                except KeyboardInterrupt:
                    self._stop(signal.SIGKILL)  # who asks twice does not want to wait
                    raise
                raise
        return outcomes

    def _run(self, planned: PlannedRun) -> Outcome:
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
        if self._stopped:
            raise Interrupted
        if seed is not None:
            raise NotTried(f"not tried: it was refused with seed {seed}")

    def _train(self, planned: PlannedRun) -> Row:
        row = self._begun(planned)
        resumed = _last_checkpoint(row["started"], planned.parent)
        if resumed is None:
            row |= {"started": datetime.now(UTC).isoformat(timespec="seconds"), "seconds": ""}
        self._results.put(planned.key, row)
        begun = time.monotonic()
        self._seqlab(planned, [*planned.words, *(["--ckpt_path", str(resumed)] if resumed else [])], "new")
        if resumed is None:
            row["seconds"] = f"{time.monotonic() - begun:.1f}"
        run = run_since(row["started"], planned.parent)
        if run is None:
            raise RunFailed(f"it left no run directory in {planned.parent}")
        test = planned.test_words(run)
        if test:
            self._seqlab(planned, test, "more")
            row["test_command"] = shlex.join(["seqlab", *test])
        return {**row, "status": FINISHED, "run": str(run), **measured(planned, run)}

    def _begun(self, planned: PlannedRun) -> Row:
        """The cells of a run that has not ended; what is known of it where it was begun before with this source."""
        row = {
            "status": STARTED,
            "started": "",
            "seconds": "",
            "command": planned.command,
            "configs": planned.configs,
            "commit": self._commit,
        }
        before = self._results.get(planned.key)
        if before is not None and same_run(before, planned) and before["commit"] == self._commit:
            row |= {name: before.get(name, "") for name in ("started", "seconds")}
        return row

    def _seqlab(self, planned: PlannedRun, words: Sequence[str], log_mode: Literal["new", "more"]) -> None:
        """Runs a command of seqlab; its output goes to the run's log.

        Raises:
            UserError: It was refused, and would be with every seed.
            RunFailed: It failed.
            Interrupted: The study was told to end.
        """
        log = self._logs / f"{planned.parent.name}.log"
        if log_mode == "new":
            log.write_bytes(b"")
        with self._started(words, log) as process:
            connection.wait([process.sentinel])
            with self._lock:  # else a process that starts meanwhile might take the status away
                process.join()
                status = process.exitcode
        assert status is not None
        if status == 0:
            return
        if self._stopped:
            raise Interrupted
        if status == REFUSED:
            raise UserError(_error_of(log))
        raise RunFailed(_error_of(log) if status > 0 else f"killed by signal {-status}; its output is in {log}")

    @contextlib.contextmanager
    def _started(self, words: Sequence[str], log: Path) -> Iterator[BaseProcess]:
        """A process of seqlab, in a session of its own: Ctrl-C reaches it through :meth:`_stop` alone, and once."""
        with self._lock:
            if self._stopped:
                raise Interrupted
            process = start_seqlab(words, log, self._environment, self._threads)
            self._processes.add(process)
        try:
            yield process
        finally:
            with self._lock:
                self._processes.discard(process)

    def _stop(self, how: signal.Signals) -> None:
        """Sends every process a signal."""
        with self._lock:
            for process in self._processes:
                send(process, how)


def _last_checkpoint(started: str, parent: Path) -> Path | None:
    """What a run that was begun at some time goes on from; None where it left nothing, or was not begun."""
    run = run_since(started, parent) if started else None
    last = run / "checkpoints" / "last.ckpt" if run else None
    return last if last and last.is_file() else None


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _error_of(log: Path) -> str:
    """What a failed command said: its error, else its last line."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    errors = [line.partition(ERROR)[2] for line in lines if ERROR in line]
    return (errors or lines or ["it said nothing"])[-1]


def _told(outcome: Outcome) -> str:
    """One line on a run that ended."""
    if outcome.error:
        return f"{outcome.planned.title}: failed: {outcome.error}"
    return f"{outcome.planned.title}: finished in {outcome.seconds:.0f} s"
