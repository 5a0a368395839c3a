"""The errors that are told to a person in one line."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """Something that the user typed or gave is wrong, and can be mended by the user.

    The message is one line: what is wrong, where (file and line, or config key), and what to do. The command line
    prints it without a traceback and ends with exit status 2.
    """


class RunFailed(Exception):
    """Something failed while running that no other command line would have prevented: a full disk, a loss that is NaN.

    The message is one line. The command line prints it without a traceback and ends with exit status 1.
    """


def suggest(name: str, known: Iterable[str]) -> str:
    """Words the close matches of a mistyped name, for the end of an error message.

    Args:
        name: What was typed.
        known: The names that exist.

    Returns:
        ``"did you mean 'x'?"`` where something is close, else the list of what exists.
    """
    names = sorted(known)
    close = get_close_matches(name, names, n=3, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(repr(match) for match in close)}?"
    return f"known: {', '.join(names)}" if names else "none exists"
