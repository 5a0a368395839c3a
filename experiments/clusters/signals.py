"""What a scheduler's signals ask of a training: noted when they come, looked at between two batches."""

from __future__ import annotations

import os
import signal
from enum import IntEnum
from types import FrameType


class Wish(IntEnum):
    """What a scheduler wants; of two wishes the greater one counts.

    Attributes:
        NOTHING: Training goes on.
        LEAVE: It ends soon, with a checkpoint: the scheduler takes the machine away, or someone has cancelled the job.
        REQUEUE: The same, and the job is put into the queue again: its time is over.
    """

    NOTHING = 0
    LEAVE = 1
    REQUEUE = 2


_wish = Wish.NOTHING


def in_job() -> bool:
    """Whether this process belongs to a SLURM job."""
    return "SLURM_JOB_ID" in os.environ


def listen() -> None:
    """Notes SIGUSR1, which would end the process, from now on. Needs the standard library alone: imports take seconds.

    What a loader's worker, forked later, notes of the signal is its own.
    """
    global _wish
    _wish = Wish.NOTHING
    signal.signal(signal.SIGUSR1, _note)


def admit() -> None:
    """Lets SIGUSR1 through: a job's script holds it back until its processes can do something with it."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})


def listen_in_training() -> None:
    """Notes SIGTERM as well, which before a training may end the process: there is nothing to keep."""
    signal.signal(signal.SIGTERM, _note)


def wish() -> Wish:
    """What this process was asked since it began to listen; others of the same job may not have heard it yet."""
    return _wish


def _note(number: int, _frame: FrameType | None) -> None:
    global _wish
    _wish = max(_wish, Wish.REQUEUE if number == signal.SIGUSR1 else Wish.LEAVE)
