"""Tables and listings in Markdown."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table.

    Args:
        head: The names of the columns.
        rows: As many cells each.
    """
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def contents(names: Iterable[str], hidden: bool = True) -> str:
    """The pages below a page.

    Args:
        names: Of the pages, without ending, relative to this one.
        hidden: Whether the page itself does not list them.
    """
    return "\n".join(["```{toctree}", *([":hidden:"] if hidden else []), ":maxdepth: 1", "", *names, "```"])


def summary(documented: object) -> str:
    """The first sentence of a docstring, in Markdown.

    Args:
        documented: A class or a function.
    """
    text = inspect.getdoc(documented) or ""
    sentence = " ".join(text.partition("\n\n")[0].split())
    return in_markdown(sentence)


def in_markdown(text: str) -> str:
    """What stands in double backticks and in roles of reStructuredText as code in Markdown.

    Args:
        text: As in a docstring.
    """
    text = re.sub(r"``(.+?)``", r"`\1`", text)
    return re.sub(r":\w+:`~?\.?([^`]+)`", r"`\1`", text)
