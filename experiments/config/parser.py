"""The parser of ``fit``, ``validate``, ``test`` and ``predict``: LightningCLI's, with errors that fit in one line."""

from __future__ import annotations

import importlib
import re
from argparse import Action, ArgumentParser
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args, get_origin

from jsonargparse import ActionConfigFile, Namespace
from lightning.pytorch.cli import LightningArgumentParser

from datamodules.errors import UserError, short_message, shortened, suggest
from experiments.config.config_file import check_config_file
from experiments.config.config_places import line_of_value, misplaced, parts_of
from experiments.config.given_values import (
    in_yaml,
    moved_in_text,
    read_configs_alone,
    takes_null,
    with_record,
    with_record_in_text,
    within_record,
)
from experiments.config.known_classes import expected_types, subclasses, suggest_class
from experiments.config.own_modules import why_not_found
from experiments.config.part_checks import takes, why_abstract
from experiments.config.renamed import CLASS_PATHS, moved
from experiments.config.shipped_configs import close_configs, find_config
from experiments.config.trainer_ranges import PRECISIONS
from experiments.config.unknown_options import ALL_OPTIONS, unknown_option
from experiments.storage.shell import shown


class OneLineErrorParser(LightningArgumentParser):
    """Raises what is wrong with a command line or a config as a :class:`UserError` of one line.

    jsonargparse makes one such parser for each class that a config names: what that parser knows is what exists.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - LightningArgumentParser's signature
        super().__init__(*args, **{"allow_abbrev": False} | kwargs)
        self._classes: dict[str, type] = {}

    def parse_path(self, path: str, *args: object, **kwargs: object) -> Namespace:
        """Parses a config file.

        Raises:
            UserError: It is no YAML, or something in it is wrong.
        """
        file = shown(Path(path))
        root = check_config_file(file)
        parts = parts_of(root, self, self._classes)
        if wrong := misplaced(root, self, parts):
            raise UserError(f"--config {file}, line {wrong[0]}: {wrong[1]}")
        try:
            parsed = super().parse_path(path, *args, **kwargs)
        except UserError as error:
            line = line_of_value(root, str(error))
            raise UserError(f"--config {file}{'' if line is None else f', line {line}'}: {error}") from error
        self._classes |= {part.path: part.made for part in parts if part.made is not None}
        return parsed

    def parse_args(  # type: ignore[override]  # argparse's has overloads, jsonargparse's has not
        self,
        args: Sequence[str] | None = None,
        namespace: Namespace | None = None,
        env: bool | None = None,
        defaults: bool = True,
        **kwargs: Any,  # noqa: ANN401 - jsonargparse's signature
    ) -> Namespace:
        """Parses options, of a command or of a part."""
        words = args
        if args is not None and hasattr(self, "_inner_parser"):
            words = [within_record(self, in_yaml(word), namespace) for word in args]
        return super().parse_args(words, namespace, env, defaults, **kwargs)

    def _get_values(self, action: Action, arg_strings: list[str]) -> Any:  # noqa: ANN401 - argparse's signature
        for word in arg_strings:
            read_configs_alone(action, word)
        words = [with_record_in_text(action, moved_in_text(word)) for word in arg_strings]
        return super()._get_values(action, words)

    def _check_value_key(self, action: Action, value: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - jsonargparse's
        read_configs_alone(action, value)
        if value is None and action.default is not None and not takes_null(action):  # which jsonargparse lets pass
            raise TypeError(f'Parser key "{action.dest}":\nGiven value: null')
        return super()._check_value_key(action, with_record(action, moved(value)), *args, **kwargs)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raises in place of printing the usage and ending the process.

        Raises:
            UserError: Always.
        """
        raise UserError(one_line(self, message)) from ex


class ConfigFile(ActionConfigFile):
    """The option of a config file, which takes those that come with seqlab where the working directory has none."""

    @staticmethod
    def apply_config(parser: ArgumentParser, cfg: Namespace, dest: str, value: str) -> None:
        """Adds what a file says; a value that is a config in itself stays to the letter."""
        found = find_config(Path(value))
        ActionConfigFile.apply_config(parser, cfg, dest, value if found == Path(value) else str(found))


def one_line(parser: ArgumentParser, message: str) -> str:
    """What a message of jsonargparse tells its reader, in one line, with what exists in place of what was mistyped.

    Args:
        parser: Where the message comes from.
        message: Lists every type that a value might have had, and the whole value.
    """
    for pattern, explain in EXPLANATIONS:
        if found := re.search(pattern, message):
            return explain(parser, *found.groups())
    return shortened(" ".join(message.split()))


def _unknown_option_of_command(parser: ArgumentParser, command: str, key: str) -> str:
    """The same, of a key in a config: the parser that says so is that of all commands."""
    parsers = next(action.choices for action in parser._actions if isinstance(action.choices, dict))
    return unknown_option(parsers[command], key)


def _unknown_class_for_help(parser: ArgumentParser, key: str, given: str) -> str:
    return _no_class(given, (kind for kind in _expected(parser, key) if isinstance(kind, type)))


def _wrong_value(parser: ArgumentParser, key: str, lines: str) -> str:
    """A value that does not fit its key; what is said of a part of it already is passed on."""
    found = next(filter(None, (re.search(pattern, lines) for pattern in JSONARGPARSE_WAS_GIVEN)), None)
    value = shortened(found[1].strip(), LONGEST_GIVEN) if found else ""
    kinds = list(_expected(parser, key))
    bases = [kind for kind in kinds if isinstance(kind, type) and kind not in PLAIN_TYPES]
    if unfound := _not_found(key, lines):
        return unfound
    if needed := _needed(key, lines):
        return needed
    told = [line.strip(" -") for line in lines.splitlines() if line.strip() and not re.search(JSONARGPARSE_SAYS, line)]
    if value.startswith("{'init_args'") and all(each.endswith(NO_OPTION) for each in told):
        return f"{key} has init_args, but no class_path; {suggest_class('', subclasses(bases))}"
    if told:
        return f"{key}: {'; '.join(map(short_message, dict.fromkeys(told)))}"
    if value.startswith("{'init_args'"):
        return f"{key} has init_args, but no class_path; {suggest_class('', subclasses(bases))}"
    literals = [str(choice) for kind in kinds if get_origin(kind) is Literal for choice in get_args(kind)]
    choices = CHOICES.get(key, literals)
    if choices:
        close = get_close_matches(value, choices, n=1)
        hint = f": did you mean '{close[0]}'?" if close else ""
        return f"{key} is '{value}', but has to be one of {', '.join(dict.fromkeys(choices))}{hint}"
    known = subclasses(bases)
    plain = " or ".join(kind.__name__ for kind in kinds if kind in PLAIN_TYPES)
    if plain and (count := _tuple_length(parser, key)) and value[:1] not in ("[", "("):
        return f"{key} is '{value}', but has to be a list: [{', '.join([plain] * count)}]"
    if plain:
        or_class = f", or a class: {suggest_class(value, known)}" if known else ""
        return f"{key} is '{value}', but has to be of type {plain}{or_class}"
    records = [base for base in bases if is_dataclass(base)]
    if records:
        forms = (_form(record, value) for record in records)
        return f"{key} is '{value}', but has to be {' or '.join(forms)}"
    return f"{key}: {_no_class(value, bases)}"


def _form(record: type, value: str) -> str:
    """How a config writes a record, with what it needs; of one that needs a single field, the value may be that."""
    needed = [field.name for field in fields(record) if field.default is MISSING]
    names = needed or [field.name for field in fields(record)]
    is_plain = len(names) == 1 and value and value[0] not in "{["
    return "{" + ", ".join(f"{name}: {value if is_plain else '...'}" for name in names) + "}"


def _no_class(given: str, bases: Iterable[type]) -> str:
    """A path that leads to no class, or to one of another kind."""
    bases = list(bases)
    if given in CLASS_PATHS:
        return f"{given} is called {CLASS_PATHS[given]} now"
    if unfound := why_not_found(given):
        return unfound
    module, _, name = given.rpartition(".")
    further = []
    if module:
        with suppress(ImportError):  # a mistyped path of a known package
            found = getattr(importlib.import_module(module), name, None)
            further.append(module)
            if found is not None:
                kinds = " or ".join(base.__name__ for base in bases)
                return f"{given} is no {kinds}; {suggest_class(given, subclasses(bases))}"
    return f"there is no class '{given}': {suggest_class(given, subclasses(bases, *further))}"


def _not_found(key: str, lines: str) -> str | None:
    """The first class path in a message that leads to nothing, and why; where it can be told, with its key."""
    if nested := re.search(JSONARGPARSE_NESTED, lines):
        key = f"{key}.init_args.{nested[1]}"
    for found in _class_paths(lines):
        if found in CLASS_PATHS:
            return f"{key}: {found} is called {CLASS_PATHS[found]} now"
        if not Path(found).exists() and (why := why_not_found(found) or why_abstract(found)):
            return f"{key}: {why}"
    return None


def _needed(key: str, lines: str) -> str | None:
    """What is said of a class of one's own that needs an argument which nobody gives."""
    missing = re.search(r"the following arguments are required: (\w+)", lines)
    if missing is None:
        return None
    for found in _class_paths(lines):
        if takes(found, missing[1]):
            return f"{key}: {found} needs the argument '{missing[1]}': give it among its init_args, or a default"
    return None


def _class_paths(lines: str) -> Iterable[str]:
    """The class paths in a message, each once."""
    return dict.fromkeys(re.findall(CLASS_PATH, lines))


def _expected(parser: ArgumentParser, key: str) -> Iterable[object]:
    """The types that jsonargparse expects of a key."""
    action: Action | None = next((action for action in parser._actions if action.dest == key), None)
    return expected_types(getattr(action, "_typehint", None))


def _no_group(_: ArgumentParser, group: str, given: str) -> str:
    """What was given for a group of options at once."""
    return (
        f"{group} is '{shortened(given, LONGEST_GIVEN)}', but has to be the name of a YAML file: what it takes is "
        f"--{group}.NAME ({ALL_OPTIONS})"
    )


def _tuple_length(parser: ArgumentParser, key: str) -> int:
    """How many values a key takes at once; 0 where it is one, or any number."""
    action: Action | None = next((action for action in parser._actions if action.dest == key), None)
    hint = getattr(action, "_typehint", None)
    values = get_args(hint) if get_origin(hint) is tuple else ()
    return 0 if Ellipsis in values else len(values)


def _no_file(_: ArgumentParser, path: str) -> str:
    given = shown(Path(path))
    directory = shown(Path(path).parent)
    if close := [repr(each) for each in close_configs(str(given))]:
        return f"--config {given}: there is no such file; did you mean {' or '.join(close)}?"
    if not directory.is_dir():
        return f"--config {given}: the directory {directory} does not exist"
    known = [each.name for each in directory.glob("*.y*ml")]
    hint = suggest(Path(path).name, known, f"in {directory}") if known else f"{directory.absolute()} has no YAML file"
    return f"--config {given}: there is no such file; {hint}"


def _no_config(_: ArgumentParser, path: str) -> str:
    return f"--config {shown(Path(path))} is a directory: give a YAML file in it"


def _unreadable(_: ArgumentParser, path: str) -> str:
    return f"--config {shown(Path(path))} cannot be read: you have no permission"


def _not_given(_: ArgumentParser, required: str, command: str) -> str:
    """What an experiment consists of, and no config says."""
    missing = [part for part in ("model", "data") if f"{command}.{part}" in required.split(", ")]
    told = f"{' and '.join(missing)} {'are' if len(missing) > 1 else 'is'} not given"
    if len(missing) == 1:
        return (
            f"{told}: a config that changes a part goes after that of an experiment, for example --config "
            "configs/nmt/dates.yaml --config yours.yaml"
        )
    return f"{told}: name an experiment with --config, for example configs/nmt/dates.yaml"


NO_OPTION = ": none exists"
"""How what is said of a key ends where nothing takes any, since no class is known."""

LONGEST_GIVEN = 100
"""Characters that are shown of a value that does not fit."""

PLAIN_TYPES = (bool, int, float, str)

CHOICES: dict[str, Sequence[str]] = {"trainer.precision": PRECISIONS}
"""What keys may be, where that is less than their types say."""

JSONARGPARSE_WAS_GIVEN = (
    r"given class_path '([^']+)'",
    r"dot import path string: (.*)",
    r"Unexpected import path format: (.*)",
    r"Got value: Namespace\(class_path='([^']+)'",
    r"Got value: (.*)",
    r"Given value: (.*)",
)
"""Where a message has the value, the most telling place first: of a class, its path."""

JSONARGPARSE_NESTED = r"NestedArg\(key='([\w.]+)', val='([\w.]+)'\)"
"""Where a message has the key of an argument within a part."""

CLASS_PATH = r"(?:(?<!<class )'|Given value: )((?:[A-Za-z_]\w*\.)+[A-Z]\w*[a-z]\w*)(?:'|$)"
"""A class path in a message, within a value or alone; what else has a point is hardly written like one."""

JSONARGPARSE_SAYS = (
    r"^\s*-?\s*(Does not validate against|Subtypes:|Errors:|Given value|Expected a|Not a valid subclass|"
    r"Subclass types expect|a class path \(str\)|a dict with|Problem with given class_path|"
    r"module '.*' has no attribute|No module named|Import path (\S+ )?does not correspond|"
    r"Unexpected import path format|Type .* expects a function or a callable class|Subclasses are disabled for|"
    r"Unable to load config)"
)
"""Lines of jsonargparse's own; the others tell what one of our parsers has explained."""

EXPLANATIONS: tuple[tuple[str, Callable[..., str]], ...] = (
    (r"^[Uu]nrecognized arguments: (\S+)", unknown_option),
    (r"^Option '([^']+)' is not accepted", unknown_option),
    (r"^Subcommand '(\w+)' does not accept option '([^']+)'", _unknown_option_of_command),
    (r"File does not exist: '?([^'\n]+)'?", _no_file),
    (r"Path is not a file: '?([^'\n]+)'?", _no_config),
    (r"File is not readable: '?([^'\n]+)'?", _unreadable),
    (r"the following arguments are required: ((fit|validate|test|predict)\..*)", _not_given),
    (r"Parser key \"([\w.]+)\":\s+Unable to load config ['\"](?!\{)([\s\S]*?)['\"]\s*(?:$|\n)", _no_group),
    (r"^--([\w.]+)\.help: [\s\S]*(?:string: |class_path ')([\w.]+)", _unknown_class_for_help),
    (r"^Parser key \"([\w.]+)\":([\s\S]*)", _wrong_value),
)
"""Patterns of jsonargparse's messages, each with what explains it; the first that is found counts."""
