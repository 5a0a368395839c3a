"""Runs what a study has planned: ``seqlab fit`` and ``seqlab test`` in processes of their own, several at once."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from datamodules.errors import RunFailed
from experiments.runs.commit import source_commit
from experiments.studies.measure import measured, newest_run
from experiments.studies.plan import PlannedRun
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
    """A run was not begun: its command was refused with another seed."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        planned: The run.
        seconds: How long it took, its test included.
        error: What went wrong, in one line; empty where nothing did.
        tried: False where it was not begun, because its command was refused with another seed.
    """

    planned: PlannedRun
    seconds: float
    error: str = ""
    tried: bool = True


class Runner:
    """Runs of one study, each at most once at a time, with a row in the results from their start.

    A run that was begun before with the same command, configs and commit goes on from its last checkpoint; else it
    begins anew, in a directory of its own. A run that fails does not stop the others. Where a command is refused, its
    variant is not tried with other seeds.

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
        self._environment = {"OMP_NUM_THREADS": str(threads), **os.environ, "WANDB_RUN_GROUP": group}
        self._commit = source_commit() or ""
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen[bytes]] = set()
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
                self._stop(signal.SIGINT)
                try:
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
        except RunFailed as failure:
            row = {"status": FAILED, "error": str(failure)}
            tried = not isinstance(failure, NotTried)
        row = {"command": planned.command, "configs": planned.configs, "commit": self._commit} | row
        self._results.put(planned.key, row)
        return Outcome(planned, time.monotonic() - begun, row.get("error", ""), tried)

    def _check_wanted(self, planned: PlannedRun) -> None:
        with self._lock:
            seed = self._refused.get((planned.panel, planned.variant))
        if self._stopped:
            raise Interrupted
        if seed is not None:
            raise NotTried(f"not tried: its command was refused with seed {seed}")

    def _train(self, planned: PlannedRun) -> Row:
        before = self._results.get(planned.key) or {}
        resumed = self._resumable(planned, before)
        started = {"status": STARTED, "command": planned.command, "configs": planned.configs, "commit": self._commit}
        self._results.put(planned.key, started)
        begun = time.monotonic()
        self._seqlab(planned, [*planned.words, *(["--ckpt_path", str(resumed)] if resumed else [])], "wb")
        seconds = time.monotonic() - begun
        run = newest_run(planned.parent)
        if run is None:
            raise RunFailed(f"it left no run directory in {planned.parent}")
        test = planned.test_words(run)
        if test:
            self._seqlab(planned, test, "ab")
        return {
            "status": FINISHED,
            "run": str(run),
            "seconds": before.get("seconds", "") if resumed else f"{seconds:.1f}",
            "test_command": " ".join(["seqlab", *test]) if test else "",
            **measured(planned, run),
        }

    def _resumable(self, planned: PlannedRun, before: Row) -> Path | None:
        """The checkpoint from which the same run, begun before with the same source, goes on."""
        run = newest_run(planned.parent)
        if run is None or not before or not same_run(before, planned) or before["commit"] != self._commit:
            return None
        last = run / "checkpoints" / "last.ckpt"
        return last if last.is_file() else None

    def _seqlab(self, planned: PlannedRun, words: Sequence[str], mode: str) -> None:
        """Runs a command of seqlab; its output goes to the run's log.

        Raises:
            RunFailed: It failed.
            Interrupted: The study was told to end.
        """
        log = self._logs / f"{planned.parent.name}.log"
        with log.open(mode) as output, self._started(words, output.fileno()) as process:
            status = process.wait()
        if status == 0:
            return
        if self._stopped:
            raise Interrupted
        if status == REFUSED:
            with self._lock:
                self._refused.setdefault((planned.panel, planned.variant), planned.seed)
        raise RunFailed(_error_of(log) if status > 0 else f"killed by signal {-status}; its output is in {log}")

    @contextlib.contextmanager
    def _started(self, words: Sequence[str], output: int) -> Iterator[subprocess.Popen[bytes]]:
        """A process of seqlab, in a session of its own: Ctrl-C reaches it through :meth:`_stop` alone, and once."""
        with self._lock:
            if self._stopped:
                raise Interrupted
            process = subprocess.Popen(
                [sys.executable, "-m", "experiments.cli", *words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )
            self._processes.add(process)
        try:
            yield process
        finally:
            with self._lock:
                self._processes.discard(process)

    def _stop(self, how: signal.Signals) -> None:
        """Sends every process a signal, and begins no other."""
        with self._lock:
            self._stopped = True
            for process in self._processes:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, how)


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
