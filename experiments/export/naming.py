"""Which part of a model an error came from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from traceback import walk_tb

import torch
from torch import nn
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode

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
        subject = "the model" if part is None else type(part).__name__
        raise UserError(
            f"{subject} cannot be exported to {format_name}: {_reason(error)} (--debug shows the traceback); take "
            "another part in its place"
        ) from error


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, and what it came from, the first cause last."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _reason(error: BaseException) -> str:
    """Why, in a line."""
    *_, first = _causes(error)
    if any(isinstance(each, torch.jit.TracerWarning | GuardOnDataDependentSymNode) for each in _causes(error)):
        return "what it does depends on the size or on a value of a tensor"
    return next((line for line in str(first).splitlines() if line.strip()), type(first).__name__)


def _innermost_part(error: BaseException) -> nn.Module | None:
    """The innermost module, of those that are not torch's own, in which an error or what it came from was raised."""
    found: nn.Module | None = None
    for each in _causes(error):
        for frame, _ in walk_tb(each.__traceback__):
            own = frame.f_locals.get("self")
            if isinstance(own, nn.Module) and not type(own).__module__.startswith((_TORCH, "experiments.export")):
                found = own
    return found
