"""What jsonargparse makes of a value before it looks at its type, put right: each of these is what a person meant."""

from __future__ import annotations

import ast
import json
from argparse import Action, ArgumentParser
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

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
    return f"{name}={typed(value)}" if value is None or isinstance(value, list | dict) else option


def typed(value: object) -> str:
    """A value of YAML as it is typed on a command line.

    Characters stay as they are: of those beyond U+FFFF YAML does not know the two halves that JSON escapes them as.

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


def with_record(action: Action, value: Any) -> Any:  # noqa: ANN401 - whatever a config holds
    """Makes a mapping for one of several records, ``{tsv: X}``, the whole record: its class, and all of its fields.

    Without the class jsonargparse takes it for a record of the kind that an earlier config or the default has, and
    without the fields it keeps those of the record before: a mapping takes the place of the one before, with nothing
    of it. Other values stay as they are.

    Args:
        action: What jsonargparse reads the value with.
        value: As it was given.

    Raises:
        UserError: One of its keys is none of any of the records, no record has all of them, or several have and none
            is named.
    """
    records = _records(action)
    if not isinstance(value, dict | str) or len(records) < 2:
        return value
    if isinstance(value, str):
        value = _mapping_of_file(value) or value
    if isinstance(value, str) or "class_path" in value:
        path, arguments = (value, {}) if isinstance(value, str) else (value["class_path"], value.get("init_args") or {})
        kind = next((each for each in records if path in (each.__name__, _path(each))), None)
        return value if kind is None or not isinstance(arguments, dict) else _whole(kind, arguments)
    known = {name for record in records for name in _names(record)}
    if unknown := [key for key in value if key not in known and key not in CLASS_KEYS]:
        kinds = " or ".join(record.__name__ for record in records)
        raise UserError(f"{action.dest} ({kinds}): unknown option '{unknown[0]}': {suggest(str(unknown[0]), known)}")
    if not known.issuperset(value):
        return value
    meant = [kind for kind in records if value.keys() <= _names(kind)]
    forms = " or ".join(_form(record) for record in meant or records)
    if not meant:
        raise UserError(f"{action.dest}: {', '.join(map(str, value))} do not go together: give {forms}")
    if len(meant) > 1:
        raise UserError(
            f"{action.dest}: {', '.join(map(str, value))} alone tells no file, and a mapping takes the place of all "
            f"that was given before: give {forms}, or change one key by an option, {action.dest}.KEY"
        )
    return _whole(meant[0], value)


def _mapping_of_file(name: str) -> dict[str, Any] | None:
    """The mapping of a config file; None where the name is none of one, or the file has something else."""
    if Path(name).suffix not in CONFIG_SUFFIXES or not _is_file(name):
        return None
    try:
        content = yaml.safe_load(Path(name).read_bytes())
    except (OSError, yaml.YAMLError):  # which jsonargparse tells
        return None
    return content if isinstance(content, dict) else None


def _whole(record: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """A record as jsonargparse takes it, with all of its fields; those that have to be said are unset until they are.

    Args:
        record: Its class.
        given: Some of its fields by name.
    """
    return {"class_path": _path(record), "init_args": _all_fields(record, given)}


def _all_fields(record: type, given: Mapping[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(record)
    return {each.name: _default(each) for each in fields(record)} | {
        name: _with_fields(hints.get(name), value) for name, value in given.items()
    }


def _with_fields(hint: object, value: object) -> object:
    """The value of a field; where that is a record in itself, with all of its fields."""
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    inner = next((kind for kind in kinds if isinstance(kind, type) and is_dataclass(kind)), None)
    return _all_fields(inner, value) if inner is not None and isinstance(value, Mapping) else value


def _default(field: Field[Any]) -> object:
    """What a field is where nothing is said, as a config writes it; None for what has to be said."""
    if field.default_factory is not MISSING:
        return field.default_factory()
    if field.default is MISSING:
        return None
    is_record = is_dataclass(field.default) and not isinstance(field.default, type)
    return asdict(field.default) if is_record else field.default


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
    try:
        value = yaml.safe_load(word) if word.startswith("{") else word
    except yaml.YAMLError:
        return word
    completed = with_record(action, value)
    return word if completed is value else typed(completed)


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
    first, *further = name.removeprefix(f"--{action.dest}.").removeprefix("init_args.").split(".")
    had = _record_before(action, before)
    if first == "class_path" and not further:
        return f"--{action.dest}={text}"
    taking = {_path(kind): kind for kind in records if first in _names(kind)}
    if not taking:
        return option
    if had is not None and had.class_path in taking:
        kind = taking[had.class_path]
        arguments = _given_fields(had)
    elif len(taking) == 1:
        ((_, kind),) = taking.items()
        arguments = {}
    else:
        files = " or ".join(f"{action.dest}.{next(iter(fields(kind))).name}" for kind in taking.values())
        raise UserError(f"{action.dest}.{first} says how a file is read: give the file before it, as {files}")
    return f"--{action.dest}={typed(_whole(kind, _with_key(arguments, [first, *further], text)))}"


def _given_fields(record: Namespace) -> dict[str, Any]:
    """The fields of a record that was read, and of records in it, as a config writes them."""
    from jsonargparse import Namespace

    return {
        name: _given_fields(value) if isinstance(value, Namespace) and "class_path" in value else value
        for name, value in vars(record.init_args).items()
    }


def _with_key(value: object, keys: list[str], text: str) -> Any:  # noqa: ANN401 - whatever a config holds
    """A value with another one for a key within it; a text that begins with a brace is a mapping."""
    if not keys:
        return yaml.safe_load(text) if text.startswith("{") else text
    inner = value if isinstance(value, dict) else {}
    return {**inner, keys[0]: _with_key(inner.get(keys[0]), keys[1:], text)}
