"""Which part of a model an error came from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from traceback import walk_tb

from torch import nn

from datamodules.errors import UserError

_TORCH = "torch."


@contextmanager
def naming_the_part(format_name: str) -> Iterator[None]:
    """Turns what goes wrong while a model is written as a graph into one line that names the part it came from.

    Args:
        format_name: The format.

    Raises:
        UserError: Something went wrong.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # exporters raise anything
        part = _innermost_part(error)
        told = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        subject = "the model" if part is None else type(part).__name__
        raise UserError(
            f"{subject} cannot be exported to {format_name}: {told} (--debug shows the traceback); take another part"
        ) from error


def _innermost_part(error: BaseException) -> nn.Module | None:
    """The innermost module, of those that are not torch's own, in which an error or what it came from was raised."""
    found: nn.Module | None = None
    seen: BaseException | None = error
    while seen is not None:
        for frame, _ in walk_tb(seen.__traceback__):
            own = frame.f_locals.get("self")
            if isinstance(own, nn.Module) and not type(own).__module__.startswith((_TORCH, "experiments.export")):
                found = own
        seen = seen.__cause__ or seen.__context__
    return found
