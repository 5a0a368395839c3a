"""The processes that rank zero has started beside itself, where no torchrun or scheduler looks after them."""

from __future__ import annotations

import atexit
import subprocess
import time
from collections.abc import Sequence

import lightning as L
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher

PATIENCE = 10.0
"""Seconds that the others get to notice on their own that rank zero has failed, and to say what they have to say."""


def end_with_this_one(trainer: L.Trainer) -> None:
    """Sees to it that no other process outlives rank zero, which has failed.

    Lightning ends all where another rank has failed, but where rank zero has, the others may wait for it in a
    collective. They are ended when this process ends, so that its own error is told first.

    Args:
        trainer: The Trainer of rank zero; one that has started no process is left alone.
    """
    launcher = trainer.strategy.launcher
    if not isinstance(launcher, _SubprocessScriptLauncher) or not launcher.procs:
        return
    atexit.register(_end, tuple(launcher.procs))
    launcher.procs.clear()  # Lightning's observer of the same list would kill this process at the first that ends


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + PATIENCE
    for process in processes:
        try:
            process.wait(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
