"""What signals ask of a training: noted when they come, looked at between two batches."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from types import FrameType


class SchedulerRequest(IntEnum):
    """What a scheduler wants, or a person at the keyboard; of two requests the greater one counts.

    Attributes:
        NOTHING: Training goes on.
        LEAVE: It ends soon, with a checkpoint: the scheduler takes the machine away, or someone has cancelled the job,
            or pressed Ctrl-C.
        REQUEUE: The same, and the job is put into the queue again: its time is over.
    """

    NOTHING = 0
    LEAVE = 1
    REQUEUE = 2


TOLD = b"\nseqlab: interrupted: a checkpoint is written after this step or validation; Ctrl-C again ends at once\n"

_request = SchedulerRequest.NOTHING
_listener = 0
"""The process whose Ctrl-C is noted: a loader's, forked from it, has the same handler, and outlives the batch."""

_trains = False
_writes = False


def in_job() -> bool:
    """Whether this process belongs to a SLURM job."""
    return "SLURM_JOB_ID" in os.environ


def listen() -> None:
    """Notes SIGUSR1, which would end the process, from now on. Needs the standard library alone: imports take seconds.

    What a loader's worker, forked later, notes of the signal is its own.
    """
    global _request
    _request = SchedulerRequest.NOTHING
    signal.signal(signal.SIGUSR1, _note)


def admit() -> None:
    """Lets SIGUSR1 through: a job's script holds it back until its processes can do something with it."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})


def listen_to_keyboard() -> None:
    """Notes Ctrl-C once :func:`listen_in_training` was called; until then it ends the process, as ever.

    Where it is ignored, as in a script's background jobs, it still is.
    """
    global _listener, _trains, _request
    if not in_job():
        _request = SchedulerRequest.NOTHING  # of a training before, in this process
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        _listener, _trains = os.getpid(), False
        signal.signal(signal.SIGINT, _interrupt)


def listen_in_training() -> None:
    """Notes SIGTERM and Ctrl-C, which before a training may end the process: there is nothing to keep."""
    global _trains
    _trains = True
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _note)


def listen_no_more() -> None:
    """Lets Ctrl-C end the process again."""
    if signal.getsignal(signal.SIGINT) is _interrupt:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def unheard_keyboard() -> Iterator[None]:
    """Within it Ctrl-C does nothing: it would cost the checkpoint that is being written because of it."""
    global _writes
    _writes = True
    try:
        yield
    finally:
        _writes = False


def requested() -> SchedulerRequest:
    """What this process was asked since it began to listen; others of the same job may not have heard it yet."""
    return _request


def _note(number: int, _frame: FrameType | None) -> None:
    global _request
    _request = max(_request, SchedulerRequest.REQUEUE if number == signal.SIGUSR1 else SchedulerRequest.LEAVE)


def _interrupt(number: int, frame: FrameType | None) -> None:
    if os.getpid() != _listener or _writes:
        return
    if not _trains or _request is not SchedulerRequest.NOTHING:
        signal.default_int_handler(number, frame)
    _note(number, frame)
    if os.environ.get("LOCAL_RANK", "0") == "0":
        os.write(2, TOLD)  # print may be at work in what was interrupted
