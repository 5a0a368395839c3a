"""Calls that may never come back."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread


def call_within(seconds: float, action: Callable[[], None]) -> None:
    """Calls something in a thread of its own, and waits for it no longer than so many seconds.

    Args:
        seconds: The limit.
        action: What is called. Where it takes longer, it is left to itself, and goes on or not.

    Raises:
        TimeoutError: It took longer.
        Exception: Whatever it raises.
    """
    failures: list[Exception] = []

    def run() -> None:
        try:
            action()
        except Exception as error:
            failures.append(error)

    thread = Thread(target=run, name="call with a timeout", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError(f"no answer within {seconds:.0f} seconds")
    if failures:
        raise failures[0]
