"""Which of two ways is the faster one on this processor."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

_ROUNDS = 20


def ratio_of_times(one: Callable[[], object], other: Callable[[], object]) -> float:
    """How many times as long one takes as the other: least times of several, in turn.

    By one thread: several wait for each other, however long another process has one of their cores.

    Args:
        one: Something short.
        other: Likewise.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for run in (one, other):  # the first time makes kernels
            run()
        times = [(_seconds(one), _seconds(other)) for _ in range(_ROUNDS)]
    finally:
        torch.set_num_threads(threads)
    return min(first for first, _ in times) / min(second for _, second in times)


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
