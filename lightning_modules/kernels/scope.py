"""What is in force within a ``with`` statement, for the layers that run in it."""

from __future__ import annotations

from contextvars import ContextVar
from types import TracebackType
from typing import Any, ClassVar, Self


class Scope:
    """Is found by :meth:`current` from its entry to its exit; each subclass by itself. Within another one, that one.

    One may be entered again and again, by several threads at once too: each has its own entries.
    """

    _entered: ClassVar[ContextVar[tuple[Any, ...]]]
    """The outermost one, as often as there are entries of this thread."""

    def __init_subclass__(cls) -> None:
        cls._entered = ContextVar(cls.__name__, default=())

    def __enter__(self) -> Self:
        entered = self._entered.get()
        self._entered.set((*entered, entered[0] if entered else self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._entered.set(self._entered.get()[:-1])

    @classmethod
    def current(cls) -> Self | None:
        """The outermost one; None outside."""
        entered = cls._entered.get()
        return entered[0] if entered else None
