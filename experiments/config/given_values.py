"""What jsonargparse makes of a value before it looks at its type, put right: each of these is what a person meant."""

from __future__ import annotations

import ast
import json
from argparse import Action, ArgumentParser
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args

import yaml

from datamodules.errors import UserError, suggest
from experiments.config.known_classes import CLASS_KEYS, expected_types
from experiments.config.renamed import MOVED, OWN_FOR_LIGHTNINGS, moved

if TYPE_CHECKING:
    from jsonargparse import Namespace

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


def moved_in_text(word: str) -> str:
    """A word of the command line, with the class paths in it by their places of today.

    Args:
        word: A class path, or a list or mapping with some in YAML.
    """
    if not any(before in word for before in (*MOVED, *OWN_FOR_LIGHTNINGS)):
        return word
    try:
        return typed(moved(yaml.safe_load(word)))
    except yaml.YAMLError:
        return word


def read_configs_alone(action: Action, value: object) -> None:
    """Lets jsonargparse read a part's config from the file that a value names only where the name is one of a config.

    It would read any file, data of any size, and take what is in it for what was typed.

    Args:
        action: What jsonargparse reads the value with.
        value: As it was given.
    """
    if vars(action).setdefault("_takes_configs", getattr(action, "_enable_path", False)):
        action._enable_path = not _names_data(value)  # type: ignore[attr-defined]  # jsonargparse sets it


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


def with_record(action: Action, value: Any, before: object = None) -> Any:  # noqa: ANN401 - whatever a config holds
    """Adds the class that its keys tell to a value for one of several records, ``{tsv: X}``; others stay as they are.

    Without it jsonargparse takes the value for a record of the kind that an earlier config or the default has. A record
    of another kind than before has nothing of it: jsonargparse would keep what has the same name in both.

    Args:
        action: What jsonargparse reads the value with.
        value: As it was given.
        before: What was given so far for the part that takes the value.

    Raises:
        UserError: One of its keys is none of any of the records, or no record has all of them.
    """
    records = _records(action)
    if not isinstance(value, dict) or "class_path" in value or len(records) < 2:
        return value
    known = {name for record in records for name in _names(record)}
    if unknown := [key for key in value if key not in known and key not in CLASS_KEYS]:
        kinds = " or ".join(record.__name__ for record in records)
        raise UserError(f"{action.dest} ({kinds}): unknown option '{unknown[0]}': {suggest(str(unknown[0]), known)}")
    meant = [kind for kind in records if value.keys() <= _names(kind)]
    if not meant and known.issuperset(value):
        forms = " or ".join(_form(record) for record in records)
        raise UserError(f"{action.dest}: {', '.join(map(str, value))} do not go together: give {forms}")
    if len(meant) != 1:
        return value
    had = _record_before(action, before)
    defaults = {} if had is None or had.class_path == _path(meant[0]) else _defaults(meant[0])
    return {"class_path": _path(meant[0]), "init_args": defaults | value}


def _records(action: Action) -> list[type]:
    """The records that a value may be."""
    kinds = expected_types(getattr(action, "_typehint", None))
    return [kind for kind in kinds if isinstance(kind, type) and is_dataclass(kind)]


def _form(record: type) -> str:
    """How a config writes a record, with what it needs."""
    return "{" + ", ".join(f"{each.name}: ..." for each in fields(record) if each.default is MISSING) + "}"


def _record_before(action: Action, before: object) -> Namespace | None:
    """The record that was given before, with class_path and init_args; None where there was none."""
    from jsonargparse import Namespace  # commands without a parser use the rest

    given = before.get(action.dest) if isinstance(before, Mapping | Namespace) else None
    return given if isinstance(given, Namespace) and "class_path" in given else None


def _defaults(record: type) -> dict[str, Any]:
    """What a record is where nothing else is said; nothing of what has to be said."""
    return {each.name: each.default for each in fields(record) if each.default is not MISSING}


def _path(record: type) -> str:
    return f"{record.__module__}.{record.__qualname__}"


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


def within_record(parser: ArgumentParser, option: str, before: object) -> str:
    """Writes an option within one of several records as the whole record: the one before, if it has a key of that name.

    jsonargparse would take the first that has one, with what both have of the one before.

    Args:
        parser: The parser of the part that takes the record.
        option: For example ``--train.columns.source=3``.
        before: What was given for the part so far.

    Raises:
        UserError: Several records have the key, and none of them was given.
    """
    name, _, text = option.partition("=")
    action = next((action for action in parser._actions if name.startswith(f"--{action.dest}.")), None)
    records = [] if action is None else _records(action)
    if action is None or len(records) < 2:
        return option
    first, *further = name.removeprefix(f"--{action.dest}.").split(".")
    had = _record_before(action, before)
    taking = {_path(kind): kind for kind in records if first in _names(kind)}
    if had is not None and had.class_path in taking:
        arguments = had.init_args.as_dict()
        arguments[first] = _with_key(arguments.get(first), further, text)
        return f"--{action.dest}={json.dumps({'class_path': had.class_path, 'init_args': arguments})}"
    if len(taking) > 1:
        files = " or ".join(f"{action.dest}.{next(iter(fields(kind))).name}" for kind in taking.values())
        raise UserError(f"{action.dest}.{first} says how a file is read: give the file before it, as {files}")
    if had is None or not taking:
        return option
    ((made, kind),) = taking.items()
    arguments = _defaults(kind) | {first: _with_key(None, further, text)}
    return f"--{action.dest}={json.dumps({'class_path': made, 'init_args': arguments})}"


def _with_key(value: object, keys: list[str], text: str) -> object:
    """A value with another one for a key within it; a text that begins with a brace is a mapping."""
    if not keys:
        return yaml.safe_load(text) if text.startswith("{") else text
    inner = value if isinstance(value, dict) else {}
    return {**inner, keys[0]: _with_key(inner.get(keys[0]), keys[1:], text)}
