"""Which process of a training has ended, when another one cannot reach it."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import lightning as L

SECONDS = 2.0
"""How long a process that broke off a connection may take to be seen as ended."""


def lost_processes(trainer: L.Trainer, parent: int) -> str | None:
    """Says which processes have ended before their time, as far as this one can see: those that it started.

    Args:
        trainer: This process's Trainer.
        parent: The id of the process that started this one.

    Returns:
        A clause that names their ranks; None where none is known to have ended.
    """
    started: list[subprocess.Popen[bytes]] = getattr(trainer.strategy.launcher, "procs", [])
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if trainer.local_rank and os.getppid() != parent:
            return f"rank {trainer.global_rank - trainer.local_rank} has ended"
        lost = [(rank, process) for rank, process in enumerate(started, trainer.global_rank + 1) if process.poll()]
        if lost:
            return ", ".join(
                f"rank {rank} (process {process.pid}) {_end(process.returncode)}" for rank, process in lost
            )
        time.sleep(0.05)
    return None


def _end(status: int) -> str:
    return f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
