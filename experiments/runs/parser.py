"""The parser of ``fit``, ``validate``, ``test`` and ``predict``: LightningCLI's, with errors that fit in one line."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from lightning import Trainer
from lightning.pytorch.cli import LightningArgumentParser

from datamodules.errors import UserError, suggest

PARTS = ("lightning_modules", "datamodules", "experiments.runs.callbacks", "experiments.runs.loggers", "torch.optim")
"""The packages whose classes a config names."""


class OneLineErrorParser(LightningArgumentParser):
    """Raises what is wrong with a command line or a config as a :class:`UserError` of one line."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raises in place of printing the usage and ending the process.

        Raises:
            UserError: Always.
        """
        raise UserError(one_line(message)) from ex


def one_line(message: str) -> str:
    """What a message of jsonargparse tells its reader, in one line, with what exists in place of what was mistyped.

    jsonargparse lists every type that a value might have had, and the whole value; the cause is one line of these.
    """
    for pattern, explain in EXPLANATIONS:
        if found := re.search(pattern, message):
            return explain(*found.groups())
    told = [line.strip(" -") for line in message.splitlines() if not re.search(NOISE, line)]
    return re.sub(r"\s+", " ", "; ".join(line for line in told if line)) or message


NOISE = (
    r"^\s*Parser key \"[\w.]+\":\s*$|Does not validate against|^\s*Subtypes:|^\s*Errors:|Given value|"
    r"Expected a <class 'NoneType'>|Expected a path but"
)
"""Lines of jsonargparse's messages that tell its reader nothing."""


def _no_option(name: str) -> str:
    return f"unknown option '{name}': {_suggest_close(name, _parameters())}"


def _no_literal(key: str, choices: str, value: str) -> str:
    known = [choice.strip("' \"") for choice in choices.split(",")]
    return f"{key} is '{value}', but has to be one of {', '.join(known)}: {suggest(value, known)}"


def _no_type(key: str, kind: str, value: str) -> str:
    return f"{key} is '{value}', but has to be of type {kind}"


def _no_module_member(module: str, name: str) -> str:
    known = [path.rpartition(".")[2] for path in _classes_of(importlib.import_module(module))]
    return f"there is no class '{name}' in {module}: {suggest(name, known)} There are {', '.join(known)}"


def _no_module(path: str, *_: str) -> str:
    return _no_class(path)


def _no_class(given: str) -> str:
    """A class that is nowhere: those of like name, with their paths."""
    paths: dict[str, str] = {}
    for path in _all_classes():
        paths.setdefault(path.rpartition(".")[2], path)
    name = given.rpartition(".")[2]
    close = [name] if name in paths else get_close_matches(name, paths, n=3)
    if not close:
        return f"there is no class '{given}': give its import path, as in the README's table of parts"
    return f"there is no class '{given}': did you mean {' or '.join(repr(paths[match]) for match in close)}?"


def _no_file(path: str) -> str:
    directory = Path(path).parent
    if not directory.is_dir():
        return f"--config {path}: the directory {directory} does not exist"
    known = [str(each.name) for each in directory.glob("*.yaml")]
    return f"--config {path}: there is no such file; {suggest(Path(path).name, known)}"


def _nothing_given(_: str) -> str:
    return "model and data are not given: name an experiment with --config, for example configs/nmt/dates.yaml"


def _no_key(key: str) -> str:
    words = key.lstrip("-").split(".")
    name = words[0] if words[0] not in TOP_LEVEL else words[-1]
    of_trainer = list(inspect.signature(Trainer.__init__).parameters)[1:]
    known = of_trainer if "trainer." in key else [*_parameters(), *TOP_LEVEL]
    return f"unknown key '{key}': {_suggest_close(name, known)}"


def _suggest_close(name: str, known: list[str]) -> str:
    """Close matches where there are some; else where to look, for a list of all would fill the screen."""
    hint = suggest(name, known)
    return hint if hint.startswith("did you mean") else "see the options with --help, or --print_config"


TOP_LEVEL = ("experiment", "seed_everything", "trainer", "model", "data", "ckpt_path", "init_from", "trust", "config")

EXPLANATIONS: tuple[tuple[str, Callable[..., str]], ...] = (
    (r"Option '([^']+)' is not accepted", _no_option),
    (r"Parser key \"([\w.]+)\":[;\s]+Expected a typing\.Literal\[(.*?)\]\. Got value: (.*)", _no_literal),
    (r"module '([\w.]+)' has no attribute '(\w+)'", _no_module_member),
    (r"No module named '([\w.]+)'", _no_module),
    (r"Expected a dot import path string: (\S+)", _no_class),
    (r"[Pp]roblem with given class_path '([\w.]+)'", _no_class),
    (r"Parser key \"([\w.]+)\":[;\s]+Expected a <class '(\w+)'>\. Got value: (.*)", _no_type),
    (r"File does not exist: '?([^'\n]+)'?", _no_file),
    (r"the following arguments are required: (fit|validate|test|predict)\.", _nothing_given),
    (r"[Uu]nrecognized arguments: (\S+)", _no_key),
    (r"[Kk]ey '([^']+)' is not expected", _no_key),
    (r"does not accept option '([^']+)'", _no_key),
    (r"No action for key \"([^\"]+)\"", _no_key),
)
"""Patterns of jsonargparse's messages, each with what explains it; the first that is found counts."""


def _all_classes() -> Iterator[str]:
    for name in PARTS:
        package = importlib.import_module(name)
        yield from _classes_of(package)
        for module in pkgutil.walk_packages(getattr(package, "__path__", []), f"{name}."):
            if name != "torch.optim":
                yield from _classes_of(importlib.import_module(module.name))


def _classes_of(module: ModuleType) -> list[str]:
    """The paths of a module's public classes: its own, and of a package also those that it passes on."""
    package = module.__name__.partition(".")[0]
    return [
        f"{module.__name__}.{name}"
        for name, member in inspect.getmembers(module, inspect.isclass)
        if not name.startswith("_")
        and (
            member.__module__ == module.__name__
            or (hasattr(module, "__path__") and member.__module__.startswith(package))
        )
    ]


def _parameters() -> list[str]:
    """The names of all arguments of all classes that a config names."""
    names: set[str] = set()
    for path in _all_classes():
        module, _, name = path.rpartition(".")
        names.update(inspect.signature(getattr(importlib.import_module(module), name).__init__).parameters)
    return sorted(names - {"self", "args", "kwargs"})
