"""What is in force within a ``with`` statement, in each thread by itself."""

from __future__ import annotations

from threading import Barrier, Thread

import pytest

from lightning_modules.kernels.scope import Scope


class Inner(Scope):
    """One kind."""


class Other(Scope):
    """And one that has nothing to do with it."""


def test_the_outermost_is_found_until_it_is_left() -> None:
    first, second = Inner(), Inner()
    assert Inner.current() is None
    with first:
        with second, first:
            assert Inner.current() is first
            assert Other.current() is None
        assert Inner.current() is first
    assert Inner.current() is None
    with second:
        assert Inner.current() is second


def test_an_error_leaves_it_too() -> None:
    with pytest.raises(ValueError, match="within"), Inner():
        raise ValueError("within")
    assert Inner.current() is None


def test_threads_enter_one_and_the_same_at_once() -> None:
    """The second comes while the first is in, and the first leaves while the second is."""
    shared, steps, told = Inner(), Barrier(2, timeout=30), []

    def first() -> None:
        with shared:
            steps.wait()
            steps.wait()
        told.append(Inner.current() is None)
        steps.wait()

    def second() -> None:
        steps.wait()
        told.append(Inner.current() is None)
        with shared:
            steps.wait()
            steps.wait()
            told.append(Inner.current() is shared)
        told.append(Inner.current() is None)

    threads = [Thread(target=each) for each in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert told == [True] * 4
