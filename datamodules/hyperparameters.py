"""How a model and its data were made, in plain values: what a config says of them, and what a checkpoint keeps."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import partial
from inspect import isroutine
from pathlib import Path
from types import FunctionType, NoneType
from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch import Tensor, nn

from datamodules.errors import UserError

MODEL, DATA = "hyper_parameters", "datamodule_hyper_parameters"
"""Where Lightning keeps the arguments of a model and of a data module in a checkpoint."""

SCRIPT = "__main__"
"""The module of what is defined in the script that was started."""

_INSTANTIATOR = "lightning.pytorch.cli.instantiate_module"
"""What makes a module of them again, as LightningCLI writes it for ``load_from_checkpoint``."""

_PLAIN = (str, bytes, int, float, NoneType, Tensor)
_ANY_NUMBER = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class NotKept(UserError):
    """A value cannot be written as plain values."""


@runtime_checkable
class Part(Protocol):
    """What a config gives by class path and arguments, and which knows these: a tokenizer, a task, a curriculum."""

    def settings(self) -> Mapping[str, Any]:
        """The constructor's arguments by name."""


def described_module(module: object, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The hyperparameters of a model or a data module, as LightningCLI would keep them.

    Args:
        module: The model or the data.
        arguments: The arguments of its constructor, by name; what it does not take is left out. Those of LightningCLI
            are given back as they are.

    Raises:
        NotKept: One cannot be written as plain values.
    """
    accepted = _accepted(type(module), arguments)
    if "_class_path" in arguments:
        return {name: value for name, value in arguments.items() if name in accepted or name.startswith("_")}
    described = {name: described_value(arguments[name], name) for name in accepted}
    return {"_class_path": _path(type(module), type(module).__name__), "_instantiator": _INSTANTIATOR, **described}


def _accepted(kind: type, arguments: Mapping[str, Any]) -> list[str]:
    """The names that a constructor takes: Lightning keeps the arguments of those of the base classes, too."""
    parameters = inspect.signature(kind).parameters.values()
    takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)
    names = {parameter.name for parameter in parameters}
    return [name for name in arguments if takes_any or name in names]


def classes_of_script(described: object) -> list[str]:
    """The classes and functions that only the script knows which is running, or the notebook.

    Args:
        described: From :func:`described_module`.
    """
    if isinstance(described, Mapping):
        return [name for value in described.values() for name in classes_of_script(value)]
    return [described] if isinstance(described, str) and described.startswith(f"{SCRIPT}.") else []


def described_value(value: object, key: str) -> Any:  # noqa: ANN401 - plain values have no common type
    """An argument as a config writes it.

    Args:
        value: A plain value, a class, a :func:`functools.partial` of one, a function, an instance of a part whose
            constructor keeps its arguments, or a container of such.
        key: Its name, for errors.

    Raises:
        NotKept: It is something else, or cannot be imported by its name: a lambda, what was defined in a function.
    """
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {name: described_value(entry, f"{key}.{name}") for name, entry in value.items()}
    if isinstance(value, list | tuple | set):
        return [described_value(entry, key) for entry in value]
    if isinstance(value, type):
        return _described_partial(partial(value), key)
    if isinstance(value, FunctionType):
        return _path(value, key)
    if isinstance(value, partial):
        return _described_partial(value, key)
    if isinstance(value, Part):
        return _described_part(value, value.settings(), key)
    if is_dataclass(value) and type(value).__bases__ == (object,):  # a record, which a config writes without a class
        return {field.name: described_value(getattr(value, field.name), key) for field in fields(value)}
    if isinstance(value, nn.Module) or isroutine(value):
        raise NotKept(f"{key} is a {type(value).__name__}, which a checkpoint cannot keep: {_INSTEAD}")
    return _described_part(value, _kept_arguments(value, key), key)


_INSTEAD = "give a class, functools.partial(CLASS, NAME=VALUE), or a function of a module"


def _described_partial(value: partial[Any], key: str) -> dict[str, Any]:
    """A class with some of its arguments, and with the defaults of the others: what a config resolves to."""
    if not isinstance(value.func, type):
        name = getattr(value.func, "__name__", type(value.func).__name__)
        raise NotKept(f"{key} is functools.partial of the function {name}, which a checkpoint cannot keep: {_INSTEAD}")
    if value.args:
        raise NotKept(
            f"{key} is functools.partial({value.func.__name__}) with values that have no name, which a checkpoint "
            "cannot keep: name each, as functools.partial(CLASS, NAME=VALUE)"
        )
    described = _described_arguments(value.keywords, key)
    return {"class_path": _path(value.func, key), "init_args": {**_described_defaults(value.func), **described}}


def _described_defaults(kind: type) -> dict[str, Any]:
    """The defaults of a class's arguments; without those that cannot be written, which are made as they are here."""
    described = {}
    for parameter in _parameters(kind) or ():
        if parameter.default is not inspect.Parameter.empty:
            with suppress(NotKept):  # what cannot be kept is left out
                described[parameter.name] = described_value(parameter.default, parameter.name)
    return described


def _parameters(kind: type) -> list[inspect.Parameter] | None:
    """What a class's constructor takes by name; None where it does not say, as of a class not written in Python."""
    try:
        parameters = inspect.signature(kind).parameters.values()
    except (TypeError, ValueError):
        return None
    return [parameter for parameter in parameters if parameter.kind not in _ANY_NUMBER]


def _described_part(part: object, arguments: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {"class_path": _path(type(part), key), "init_args": _described_arguments(arguments, key)}


def _described_arguments(arguments: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: described_value(argument, f"{key}.{name}") for name, argument in arguments.items()}


def _kept_arguments(part: object, key: str) -> dict[str, Any]:
    """The arguments that a part was made of: its attributes that are called like its constructor's arguments."""
    kind = type(part).__name__
    instead = f"give it a method settings() that returns them by name, or save_hyperparameters(ignore=['{key}'])"
    parameters = _parameters(type(part))
    if parameters is None:
        raise NotKept(
            f"{key} is a {kind}, which does not say what it was made of, so that a checkpoint cannot keep it: give "
            f"numbers or strings and make it of them, or save_hyperparameters(ignore=['{key}'])"
        )
    arguments: dict[str, Any] = {}
    for parameter in parameters:
        if not hasattr(part, parameter.name):
            raise NotKept(
                f"{key}: a {kind} does not keep its argument '{parameter.name}', so that a checkpoint cannot: let its "
                f"constructor set self.{parameter.name}, or {instead}"
            )
        arguments[parameter.name] = getattr(part, parameter.name)
    return arguments


def _path(named: type | FunctionType, key: str) -> str:
    """Where a class or function is imported from, as a config writes it."""
    module, name = named.__module__, named.__qualname__
    if named.__name__ == "<lambda>":
        raise NotKept(f"{key} is a lambda, which a checkpoint cannot keep: {_INSTEAD}")
    if getattr(sys.modules.get(module), name, None) is not named:
        raise NotKept(
            f"{key} is {name} of {module}, which a checkpoint cannot keep, because it cannot be imported by that name: "
            "define it at the top of a module"
        )
    return f"{module}.{name}"
