"""A ``seqlab fit`` that can be killed with all its processes at any moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

from experiments.processes.seqlab_process import start_seqlab


class Victim:
    """A command of seqlab in a process group of its own.

    Args:
        words: What is typed after ``seqlab``.
        log: A file, to which all that it prints is added.
        environment: Its environment variables.
        forked: Fork it from a process that has imported everything, which saves seconds; else start the command itself.
    """

    def __init__(self, words: Sequence[str], log: Path, environment: Mapping[str, str], forked: bool) -> None:
        self._process: BaseProcess | subprocess.Popen[bytes]
        if forked:
            self._process = start_seqlab(words, log, environment, threads=1)
        else:
            with log.open("ab") as output:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "experiments.cli", *words],
                    stdout=output,
                    stderr=output,
                    stdin=subprocess.DEVNULL,
                    env=environment,
                    start_new_session=True,
                )
        assert self._process.pid is not None
        self._group = self._process.pid

    @property
    def status(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.poll() if isinstance(self._process, subprocess.Popen) else self._process.exitcode

    @property
    def processes(self) -> list[int]:
        """The ids of the living processes of the group, the first started first."""
        return sorted(int(path.name) for path in Path("/proc").glob("[0-9]*") if _lives_in(path, self._group))

    def kill(self) -> None:
        """Kills the group with SIGKILL, and waits until all of it is gone."""
        if self.status is None:
            os.killpg(self._group, signal.SIGKILL)
        while self.processes:
            time.sleep(0.005)
        self.wait()

    def wait(self) -> int:
        """Waits for its end, and returns its status."""
        while (status := self.status) is None:
            time.sleep(0.01)
        return status


def _lives_in(process: Path, group: int) -> bool:
    try:
        state, _, its_group = (process / "stat").read_text().rpartition(")")[2].split()[:3]
    except (OSError, ValueError):
        return False  # it has ended meanwhile
    return int(its_group) == group and state not in ("Z", "X")
