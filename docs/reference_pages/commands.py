"""A page for each command: what its ``--help`` prints."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from io import StringIO
from unittest import mock

from experiments.benchmarks.command import BENCHMARKS
from experiments.cli import COMMANDS, LIGHTNING, main
from reference_pages.markdown import contents, table

WIDTH = "100"
"""Characters in a line of a help text, whatever terminal the site is built in."""

WITHIN = {"benchmark": tuple(BENCHMARKS)}
"""The commands that a command has of its own."""

BEGINNING = """\
# Commands

What each command prints with `--help`, at the commit that this site was built of. What a *class* takes, `seqlab fit
--model.help AttentionNMT` tells, and [the pages on parts](parts/index.md).

"""


def command_pages() -> Mapping[str, str]:
    """The page that lists the commands, and one for each, by name."""
    rows = [(f"[`seqlab {name}`](commands/{name}.md)", command.summary) for name, command in COMMANDS.items()]
    names = [f"commands/{name}" for name in COMMANDS]
    listed = f"{BEGINNING}{table(('command', 'what it does'), rows)}\n\n{contents(names)}\n"
    return {"commands": listed, **{f"commands/{name}": _page(name) for name in COMMANDS}}


def _page(name: str) -> str:
    about = f"# seqlab {name}\n\n{COMMANDS[name].summary.capitalize()}.\n\n"
    if COMMANDS[name].module == LIGHTNING:
        about += (
            "Most of what follows are the options of Lightning's `Trainer`. `--model` and `--data` take a class and "
            "its arguments: see [the parts](../parts/index.md).\n\n"
        )
    inner = [f"## seqlab {name} {each}\n\n{_help(name, each)}" for each in WITHIN.get(name, ())]
    return "\n".join([about + _help(name), *inner])


def _help(*words: str) -> str:
    """What a command prints with ``--help``, as a block of code."""
    with _wide(), redirect_stdout(StringIO()) as printed, suppress(SystemExit):
        main([*words, "--help"])
    lines = [line.rstrip() for line in printed.getvalue().splitlines()]
    return "\n".join(["```text", *lines, "```\n"])


@contextmanager
def _wide() -> Iterator[None]:
    """Lines of one width, without colours."""
    with mock.patch.dict(os.environ, {"COLUMNS": WIDTH, "NO_COLOR": "1", "TERM": "dumb"}):
        yield
