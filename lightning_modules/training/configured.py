"""Optimizers and schedules of torch, made of what a config gives: what they refuse is told with its key."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from datamodules.errors import UserError

GivenT = TypeVar("GivenT")
MadeT = TypeVar("MadeT")


def configured(
    key: str, make: Callable[[GivenT], MadeT], given: GivenT, used: Callable[[MadeT], None] = lambda _: None
) -> MadeT:
    """Makes a part, and tries it.

    Args:
        key: Key of the part in the config.
        make: The class, its arguments from the config bound.
        given: What the model adds.
        used: What is done with it for a try.

    Raises:
        UserError: The class refuses an argument; names its key.
    """
    try:
        made = make(given)
        used(made)
    except UserError:
        raise
    except Exception as error:  # what a class of torch, or one of the user's own, raises has no common type
        raise UserError(f"{key}{_refused(make, given, used, error)}: {_first_line(error)}") from error
    return made


def _refused(make: Callable[[GivenT], MadeT], given: GivenT, used: Callable[[MadeT], None], error: Exception) -> str:
    """The argument that an error comes from, and its value; empty where none can be told.

    It is one without which there is no error; else one that the error names; else one without which it is another.
    """
    if not isinstance(make, partial):
        return ""
    without: dict[str, Exception | None] = {}
    for name in make.keywords:
        others = {other: each for other, each in make.keywords.items() if other != name}
        try:
            used(partial(make.func, *make.args, **others)(given))
            without[name] = None
        except Exception as other_error:  # as above
            without[name] = other_error
    named = [name for name, other in without.items() if other is None]
    named += [name for name in without if re.search(rf"\b{re.escape(name)}\b", str(error))]
    named += [name for name, other in without.items() if str(other) != str(error)]
    return f".init_args.{named[0]} is {make.keywords[named[0]]}" if named else ""


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
