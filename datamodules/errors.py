"""The errors that are told to a person in one line."""

from __future__ import annotations

import re
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


MOST_NUMBERS = 128
"""Numbers that are listed in one line; of more, the lowest, and how many more there are."""

LONGEST_LIST = 24
"""Names that are listed in one line; of more, only those that are close to what was typed."""


LONGEST_VALUE = 300
"""Characters of somebody's data that one line shows."""

LONGEST_MESSAGE = 2000
"""Characters of one line in all: what is wrong, and everything that could be meant."""

_VALUE = re.compile(rf"(?<!\w)(['\"])(?:(?!\1).){{{LONGEST_VALUE},}}\1|\S{{{LONGEST_VALUE},}}")


def shortened(text: str, longest: int = LONGEST_VALUE) -> str:
    """Leaves out the middle of a text that is too long for a line.

    Args:
        text: A text of any length.
        longest: Characters that are left, at most.

    Returns:
        The text; of a longer one the beginning, ``…`` and the end, which often says what to do.
    """
    if len(text) <= longest:
        return text
    end = longest // 3
    return f"{text[: longest - end - 1]}…{text[-end:]}"


def short_message(message: str) -> str:
    """A message whose values, in quotes or without a space in them, are shortened; its own words stay.

    Args:
        message: As it was raised.
    """
    return shortened(_VALUE.sub(lambda value: shortened(value[0]), message), LONGEST_MESSAGE)


def suggest(name: str, known: Iterable[str], all_are: str = "") -> str:
    """Words what a mistyped name could mean, for the end of an error message.

    Args:
        name: What was typed.
        known: The names that exist.
        all_are: Where to see all of them, for example ``"in --help"``, where they are too many for a line.

    Returns:
        ``"did you mean 'x'? known: w, x, y"``: the close matches, and all that exist.
    """
    names = sorted(set(known))
    if not names:
        return "none exists"
    close = get_close_matches(name, names, n=3, cutoff=0.6)
    words = [f"did you mean {' or '.join(repr(match) for match in close)}?"] if close else []
    if len(names) <= LONGEST_LIST:
        words.append(f"known: {', '.join(names)}")
    elif all_are or not close:
        words.append(f"all {len(names)} are {all_are}" if all_are else f"none of {len(names)} is close")
    return " ".join(words)


def listed_numbers(numbers: Iterable[int]) -> str:
    """Words a list of numbers, ascending: ``"3, 8, 12"``.

    Args:
        numbers: In any order.
    """
    ordered = sorted(numbers)
    words = ", ".join(map(str, ordered[:MOST_NUMBERS]))
    return words if len(ordered) <= MOST_NUMBERS else f"{words} and {len(ordered) - MOST_NUMBERS:,} more"
