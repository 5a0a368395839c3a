"""Processes of seqlab that begin with everything imported: a run of a study is short, and imports take seconds."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing import connection, forkserver, resource_tracker
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path

from datamodules.errors import RunFailed

PROGRAM = "experiments.cli"
"""What runs, as by ``python -m``."""

PRELOADED: tuple[str, ...] = (
    "experiments.processes.seqlab_process",
    "experiments.runs.lightning_cli",
    "experiments.config.every_part",
    "experiments.runs.parsed_config",
)
"""Imported once, by the process that the others are forked from. It runs nothing, so it holds no thread and no GPU. Not
among them is wandb, which makes temporary directories when it is imported: each run needs its own."""

CONTEXT: ForkServerContext | SpawnContext = (
    multiprocessing.get_context("forkserver") if sys.platform == "linux" else multiprocessing.get_context("spawn")
)
"""Elsewhere than on Linux, a fork after torch was imported is not safe."""


SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGUSR1}
"""What ends a study, the process that its runs are forked from has to outlive. Ctrl-C reaches every process of a
terminal, and a scheduler's signals often every process of a job. The study passes them on to its runs, and hears from
the process that forked them how they ended; that one ends when the study does."""


def start_seqlab(
    words: Sequence[str],
    log: Path,
    environment: Mapping[str, str],
    threads: int | None,
    errors: Path | None = None,
) -> BaseProcess:
    """Starts a command of seqlab as a process in a session of its own: what Ctrl-C sends to the terminal it is spared.

    Args:
        words: What is typed after ``seqlab``.
        log: A file; all that the command prints is added to it.
        environment: Its environment variables.
        threads: Number of CPU threads; None where the environment says.
        errors: Another file, for what it prints on standard error.

    Returns:
        The process. It can be sent signals.

    Raises:
        RunFailed: It could not be started.
    """
    streams = (log, errors or log)
    process = CONTEXT.Process(target=_seqlab, args=(tuple(words), streams, dict(environment), threads, Path.cwd()))
    try:
        if isinstance(CONTEXT, ForkServerContext):
            CONTEXT.set_forkserver_preload(list(PRELOADED))
            resource_tracker.ensure_running()  # which else comes with the server, and lets signals through
            with _signals_held_back():
                forkserver.ensure_running()
        process.start()
    except (OSError, EOFError) as error:
        raise RunFailed(f"cannot start a process for a run: {error or type(error).__name__}") from error
    while process.is_alive() and not _leads_a_session(process):
        time.sleep(0.005)
    return process


def send(process: BaseProcess, number: signal.Signals) -> None:
    """Sends a signal to a process and to all that it has started; nothing where it has ended.

    Args:
        process: From :func:`start_seqlab`.
        number: The signal.
    """
    assert process.pid is not None
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """A process that is started within it never hears them; this one does when it is left."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _leads_a_session(process: BaseProcess) -> bool:
    assert process.pid is not None
    try:
        return os.getpgid(process.pid) == process.pid
    except ProcessLookupError:
        return False


def _end_with_parent() -> None:
    """Waits for the end of the process that started this one, and ends all of it: a run does not outlive its study."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os.killpg(0, signal.SIGKILL)


def _seqlab(
    words: tuple[str, ...],
    streams: tuple[Path, Path],
    environment: dict[str, str],
    threads: int | None,
    directory: Path,
) -> None:
    """What the new process does; it ends with the status of the command."""
    for descriptor, path in zip((1, 2), streams, strict=True):
        with path.open("ab") as file:
            os.dup2(file.fileno(), descriptor)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "pthread_sigmask"):  # SIGUSR1 is let through by a command that hears it, in a scheduler's job
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    os.setsid()  # from here on it can be told to end
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    multiprocessing.set_start_method(None, force=True)  # workers of a loader start as in any process
    try:
        import torch

        if threads is not None:
            torch.set_num_threads(threads)
        sys.argv = [PROGRAM, *words]
        runpy.run_module(PROGRAM, run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()  # the end of a child of multiprocessing calls none: loggers close their files so
