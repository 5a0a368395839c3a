"""Commands of seqlab, several at once, each in a process of its own, all of which can be told to end."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Literal, NoReturn

from datamodules.errors import RunFailed, UserError
from experiments.processes.seqlab_process import send, start_seqlab

REFUSED = 2
"""The exit status of a command that is wrong in itself: it would be refused with every seed."""

ERROR = "seqlab: error: "
"""How seqlab begins to tell an error."""


TIME_IS_OVER = 128 + signal.SIGUSR1
"""The exit status of a command whose job shall go into SLURM's queue again."""


class TimeIsOver(KeyboardInterrupt):
    """SLURM gave notice that a job's time will be over soon."""


class Interrupted(Exception):
    """A command ended because it was told to end."""


class CommandPool:
    """Starts commands of seqlab, from several threads, and waits for them.

    In a job of SLURM they are told nothing of it: the job and its signals are the matter of the process that starts
    them.

    Args:
        group: The group in W&B of the runs that they make.
        jobs: How many run at once. The cores are divided among them: OpenMP's threads of two processes on the same
            cores slow each other several times over. OMP_NUM_THREADS, where it is set, stays.

    Attributes:
        stopped: Whether they were told to end.
    """

    def __init__(self, group: str, jobs: int) -> None:
        threads = max(1, _cores() // jobs)
        self._threads = None if "OMP_NUM_THREADS" in os.environ else threads
        self._environment = {"OMP_NUM_THREADS": str(threads), **_outside_slurm(), "WANDB_RUN_GROUP": group}
        self._lock = threading.Lock()
        self._processes: set[BaseProcess] = set()
        self.stopped = False

    def run(
        self,
        words: Sequence[str],
        log: Path,
        log_mode: Literal["new", "more"] = "new",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Runs a command to its end.

        Args:
            words: What is typed after ``seqlab``.
            log: Gets its output.
            log_mode: Whether the log begins with it, or goes on.
            environment: Variables that it has beside those of this process.

        Raises:
            UserError: It was refused, and would be with every seed.
            RunFailed: It failed.
            Interrupted: It was told to end.
        """
        if log_mode == "new":
            log.write_bytes(b"")
        with self._started(words, log, {**self._environment, **(environment or {})}) as process:
            connection.wait([process.sentinel])
            with self._lock:  # else a process that starts meanwhile might take the status away
                process.join()
                status = process.exitcode
        assert status is not None
        if status == 0:
            return
        if self.stopped:
            raise Interrupted
        if status == REFUSED:
            raise UserError(_error_of(log))
        raise RunFailed(_error_of(log) if status > 0 else f"killed by signal {-status}; its output is in {log}")

    @contextlib.contextmanager
    def ended_with(self, executor: ThreadPoolExecutor) -> Iterator[None]:
        """What ends the block early, as Ctrl-C does, ends the commands as well, and waits for them; a second one kills.

        Args:
            executor: The executor whose threads run the commands.
        """
        try:
            yield
        except BaseException:
            self.stopped = True
            try:
                self._send(signal.SIGINT)
                executor.shutdown(cancel_futures=True)
            except KeyboardInterrupt:
                self._send(signal.SIGKILL)  # who asks twice does not want to wait
                raise
            raise

    @contextlib.contextmanager
    def _started(self, words: Sequence[str], log: Path, environment: Mapping[str, str]) -> Iterator[BaseProcess]:
        """A process of seqlab, in a session of its own: Ctrl-C reaches it through :meth:`_send` alone, and once."""
        with self._lock:
            if self.stopped:
                raise Interrupted
            process = start_seqlab(words, log, environment, self._threads)
            self._processes.add(process)
        try:
            yield process
        finally:
            with self._lock:
                self._processes.discard(process)

    def _send(self, how: signal.Signals) -> None:
        """Sends every process a signal."""
        with self._lock:
            for process in self._processes:
                send(process, how)


@contextlib.contextmanager
def ended_as_with_ctrl_c() -> Iterator[None]:
    """Lets SIGTERM, as a scheduler sends it, do what Ctrl-C does: else the runs would go on without their study.

    Where the study was started to ignore Ctrl-C, as a script's background jobs are, it still does, but by a handler:
    what is ignored is inherited by the runs, which could then not be told to end. In a job of SLURM the notice before
    its time is over ends the runs too, by :class:`TimeIsOver`.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    def leave(_number: int, _frame: FrameType | None) -> NoReturn:
        raise TimeIsOver

    def ignore(_number: int, _frame: FrameType | None) -> None:
        return

    on_interrupt = signal.getsignal(signal.SIGINT)
    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, interrupt)}
    if on_interrupt == signal.SIG_IGN:
        before[signal.SIGINT] = signal.signal(signal.SIGINT, ignore)
    if "SLURM_JOB_ID" in os.environ:
        before[signal.SIGUSR1] = signal.signal(signal.SIGUSR1, leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _outside_slurm() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _error_of(log: Path) -> str:
    """What a failed command said: its error, else its last line."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    errors = [line.partition(ERROR)[2] for line in lines if ERROR in line]
    return (errors or lines or ["it said nothing"])[-1]
