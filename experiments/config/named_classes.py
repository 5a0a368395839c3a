"""Which classes of one's own some commands name, before any of the commands runs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import yaml

from datamodules.errors import UserError
from experiments.config.own_modules import KNOWN_PACKAGES, look_in_working_directory, why_not_found

_OWN_CLASS = re.compile(rf"(?!(?:{'|'.join(KNOWN_PACKAGES)})\.)(?:[A-Za-z_]\w*\.)+[A-Z]\w*[a-z]\w*")
"""A class of one's own; what else has a point, as a file's name, is hardly written like one."""

_PARTS = re.compile(r"model|data|trainer\.(callbacks|logger|plugins|profiler|strategy)")
"""The keys under which classes are named."""


def check_named_classes(commands: Iterable[Sequence[str]]) -> None:
    """Imports the modules of one's own that commands name in their configs and options, before any of them runs.

    Args:
        commands: What is typed after ``seqlab`` for each.

    Raises:
        UserError: One leads to nothing. A config that cannot be read is not told of: its command does.
    """
    look_in_working_directory()
    for option, value in dict.fromkeys(pair for words in commands for pair in pairwise(words)):
        if option == "--config":
            place, given = f"--config {value}", _read(value)
        elif option.startswith("--"):
            place, given = option, {option[2:]: _parsed(value)}
        else:
            continue
        for class_path in _own_class_paths(given, ""):
            if why := why_not_found(class_path):
                raise UserError(f"{place}: {why}")


def _read(path: str) -> object:
    try:
        return _parsed(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None


def _parsed(text: str) -> object:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None


def _own_class_paths(value: object, key: str) -> Iterator[str]:
    """The class paths in the value of a key, which is dotted as on the command line."""
    if isinstance(value, dict):
        for name, entry in value.items():
            yield from _own_class_paths(entry, f"{key}.{name}".removeprefix("."))
    elif isinstance(value, list):
        for entry in value:
            yield from _own_class_paths(entry, key)
    elif isinstance(value, str) and _PARTS.match(key) and _OWN_CLASS.fullmatch(value):
        yield value
