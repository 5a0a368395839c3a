"""What is in force within a ``with`` statement, for the layers that run in it."""

from __future__ import annotations

from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, ClassVar, Self


class Scope:
    """Is found by :meth:`current` from its entry to its exit; each subclass by itself. Within another one, that one."""

    _entered: ClassVar[ContextVar[Any]]

    def __init_subclass__(cls) -> None:
        cls._entered = ContextVar(cls.__name__, default=None)

    def __init__(self) -> None:
        self._tokens: list[Token[Any]] = []

    def __enter__(self) -> Self:
        self._tokens.append(self._entered.set(self.current() or self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._entered.reset(self._tokens.pop())

    @classmethod
    def current(cls) -> Self | None:
        """The outermost one; None outside."""
        found: Self | None = cls._entered.get()
        return found
