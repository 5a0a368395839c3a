"""What jsonargparse makes of a value before it looks at its type, put right: each of these is what a person meant."""

from __future__ import annotations

import ast
import json
from argparse import Action
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import NoneType
from typing import Any, get_args

import yaml

from datamodules.errors import UserError, suggest
from experiments.config.known_classes import CLASS_KEYS, expected_types

CONFIG_SUFFIXES = (".yaml", ".yml", ".json")
"""How the names of configs end."""


def in_yaml(option: str) -> str:
    """Writes the value of an option of a part as a person does, where jsonargparse wrote it as Python does.

    Args:
        option: For example ``--max_ratio=None``, which would be the text None.
    """
    name, _, text = option.partition("=")
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return option
    return f"{name}={json.dumps(value)}" if value is None or isinstance(value, list | dict) else option


def typed(value: object) -> str:
    """A value of YAML as it is typed on a command line.

    Args:
        value: A plain one, or a list or mapping of such.
    """
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def read_configs_alone(action: Action, value: object) -> None:
    """Lets jsonargparse read a part's config from the file that a value names only where the name is one of a config.

    It would read any file, data of any size, and take what is in it for what was typed.

    Args:
        action: What jsonargparse reads the value with.
        value: As it was given.
    """
    if vars(action).setdefault("_takes_configs", getattr(action, "_enable_path", False)):
        action._enable_path = not _names_data(value)  # type: ignore[attr-defined]


def _names_data(value: object) -> bool:
    """Whether a value, or one of several, is the name of a file that is no config."""
    if isinstance(value, list):
        return any(map(_names_data, value))
    return isinstance(value, str) and Path(value).suffix not in CONFIG_SUFFIXES and _is_file(value)


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except OSError:  # a name that is too long for one
        return False


def takes_null(action: Action) -> bool:
    """Whether null can be a value, as far as the annotation tells.

    Args:
        action: What jsonargparse reads the value with.
    """
    hint = getattr(action, "_typehint", None)
    kinds = list(expected_types(hint))
    return not kinds or Any in kinds or object in kinds or NoneType in get_args(hint)


def with_record(action: Action, value: Any) -> Any:  # noqa: ANN401 - whatever a config holds
    """Adds the class that its keys tell to a value for one of several records, ``{tsv: X}``; others stay as they are.

    Without it jsonargparse takes the value for a record of the kind that an earlier config or the default has.

    Args:
        action: What jsonargparse reads the value with.
        value: As it was given.

    Raises:
        UserError: One of its keys is none of any of the records.
    """
    records = _records(action)
    if not isinstance(value, dict) or "class_path" in value or len(records) < 2:
        return value
    known = {name for record in records for name in _names(record)}
    if unknown := [key for key in value if key not in known and key not in CLASS_KEYS]:
        kinds = " or ".join(record.__name__ for record in records)
        raise UserError(f"{action.dest} ({kinds}): unknown option '{unknown[0]}': {suggest(str(unknown[0]), known)}")
    meant = [kind for kind in records if value.keys() <= _names(kind)]
    if len(meant) != 1:
        return value
    return {"class_path": f"{meant[0].__module__}.{meant[0].__qualname__}", "init_args": value}


def _records(action: Action) -> list[type]:
    """The records that a value may be."""
    kinds = expected_types(getattr(action, "_typehint", None))
    return [kind for kind in kinds if isinstance(kind, type) and is_dataclass(kind)]


def _names(record: type) -> set[str]:
    return {each.name for each in fields(record)}


def with_record_in_text(action: Action, word: str) -> str:
    """Does the same with a word of the command line.

    Args:
        action: What jsonargparse reads the word with.
        word: A mapping where it begins with a brace.
    """
    if not word.startswith("{"):
        return word
    try:
        value = yaml.safe_load(word)
    except yaml.YAMLError:
        return word
    completed = with_record(action, value)
    return word if completed is value else json.dumps(completed)
