"""One thread that computes, for any number of people that ask."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

ResultT = TypeVar("ResultT")

MOST_WAITING = 512
"""Requests that may wait: each is small, and a person has given up long before it is the turn of so many."""


class Superseded(Exception):
    """Whoever asked has asked something else since."""


class Busy(Exception):
    """Too many are waiting."""


class Ticket:
    """One request, which may be cancelled while it waits or is computed."""

    def __init__(self) -> None:
        self._cancelled = False

    def cancel(self) -> None:
        """Nobody waits for it any more."""
        self._cancelled = True

    def check(self) -> None:
        """Ends a computation that nobody waits for.

        Raises:
            Superseded: It was cancelled.
        """
        if self._cancelled:
            raise Superseded


class Worker:
    """Computes one thing after the other; of those with the same slot only what was asked for last.

    Args:
        most_waiting: Requests that may wait.
    """

    def __init__(self, most_waiting: int = MOST_WAITING) -> None:
        self._most = most_waiting
        self._waiting = 0
        self._last: dict[str, Ticket] = {}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="explorer")

    async def run(self, slot: str | None, compute: Callable[[Ticket], ResultT]) -> ResultT:
        """Computes, when it is its turn.

        Args:
            slot: A new request takes the place of the one before it in the same slot; None for no such place.
            compute: Runs in the thread; asks its ticket now and then whether it goes on.

        Raises:
            Superseded: A newer request came into the slot.
            Busy: Too many are waiting.
        """
        if self._waiting >= self._most:
            raise Busy
        ticket = Ticket()
        if slot is not None:
            if slot in self._last:
                self._last[slot].cancel()
            self._last[slot] = ticket
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, _started, ticket, compute)
        finally:
            self._waiting -= 1
            if slot is not None and self._last.get(slot) is ticket:
                del self._last[slot]

    def close(self) -> None:
        """Ends the thread; what waits is dropped."""
        for ticket in self._last.values():
            ticket.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)


def _started(ticket: Ticket, compute: Callable[[Ticket], ResultT]) -> ResultT:
    ticket.check()
    return compute(ticket)
