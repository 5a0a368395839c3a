"""Processes of seqlab that begin with everything imported: a run of a study is short, and imports take seconds."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Literal

PRELOADED = (
    "wandb",
    "experiments.runs.lightning_cli",
    "experiments.runs.callbacks",
    "experiments.runs.loggers",
    "datamodules.dates",
    "datamodules.translation",
    "lightning_modules.nmt",
)
"""Imported once, by the process that the others are forked from. It runs nothing, and so holds no thread and no GPU."""


def start_seqlab(
    words: Sequence[str], log: Path, mode: Literal["wb", "ab"], environment: Mapping[str, str], threads: int
) -> BaseProcess:
    """Starts a command of seqlab as a process in a session of its own: what Ctrl-C sends to the terminal it is spared.

    Args:
        words: What is typed after ``seqlab``.
        log: Gets all that it prints.
        mode: Whether the log begins anew.
        environment: Its environment variables.
        threads: Of its CPU.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    process = context.Process(target=_seqlab, args=(tuple(words), log, mode, dict(environment), threads, Path.cwd()))
    process.start()
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
    except ProcessLookupError:  # it has ended, or has no session yet
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            return


def _seqlab(
    words: tuple[str, ...], log: Path, mode: str, environment: dict[str, str], threads: int, directory: Path
) -> None:
    """What the new process does; it ends with the status of the command."""
    import torch

    from experiments import cli

    os.setsid()
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    with log.open(mode) as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    torch.set_num_threads(threads)
    sys.argv = [str(cli.__file__), *words]
    status = cli.main()
    atexit._run_exitfuncs()  # the end of a child of multiprocessing calls none: loggers close their files so
    sys.exit(status)
