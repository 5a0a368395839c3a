"""Whether classes of one's own can be made as a config asks for, before anything is made."""

from __future__ import annotations

import inspect
from collections.abc import Callable as CallableABC
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from types import FunctionType, UnionType
from typing import Any, Union, get_args, get_origin

from datamodules.errors import UserError
from experiments.config.class_paths import constructor_hints, resolve
from experiments.config.own_modules import KNOWN_PACKAGES

_CALLED_BY_US = ("lightning_modules.layers.", "lightning_modules.decoding.", "datamodules.tokenizers")
"""Where base classes are defined whose methods seqlab calls, with all their arguments; hooks are Lightning's matter."""

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def check_parts(settings: Mapping[str, Any]) -> None:
    """Looks at each class of one's own in parsed settings: whether it is whole, and takes what its owner gives it.

    Args:
        settings: The parsed settings of a command, as nested dicts.

    Raises:
        UserError: One is abstract, or its constructor does not take the sizes that it is made of.
    """
    for name in ("model", "data"):
        if isinstance(part := settings.get(name), Mapping) and "class_path" in part:
            _check_part(part, name)
    callbacks = settings.get("trainer", {}).get("callbacks") or []
    for callback in callbacks if isinstance(callbacks, list) else [callbacks]:
        if isinstance(callback, Mapping):
            _check_part(callback, "trainer.callbacks")


def takes(class_path: str, argument: str) -> bool:
    """Whether it is a class of one's own, and its constructor has an argument of that name.

    Args:
        class_path: Import path of a class, which need not exist.
        argument: The name.
    """
    named = _own_class(class_path)
    return named is not None and argument in inspect.signature(named).parameters


def why_abstract(class_path: str) -> str | None:
    """Words what a class of one's own lacks; None where it lacks nothing.

    Args:
        class_path: Import path of a class, which need not exist.
    """
    named = _own_class(class_path)
    missing = sorted(getattr(named, "__abstractmethods__", ()))
    if named is None or not missing:
        return None
    told = ", ".join(f"{_owner(named, name).__name__}.{name}{_signature(getattr(named, name))}" for name in missing)
    return f"{class_path} is abstract: it has to define {told}"


def _own_class(class_path: str) -> type | None:
    """A class of a package that is neither seqlab's nor one that its configs always name; None where it is no such."""
    if class_path.partition(".")[0] in KNOWN_PACKAGES:
        return None
    with suppress(UserError):  # a class that is not found is told elsewhere
        named = resolve(class_path)
        return named if isinstance(named, type) else None
    return None


def _check_part(part: Mapping[str, Any], key: str) -> None:
    """Checks a part, and those that it is made of."""
    if lacking := why_abstract(part["class_path"]):
        raise UserError(f"{key}: {lacking}")
    _check_methods(part["class_path"], key)
    named = resolve(part["class_path"])
    hints = constructor_hints(named)
    for name, value in (part.get("init_args") or {}).items():
        if not isinstance(value, Mapping) or "class_path" not in value:
            continue
        inner = f"{key}.init_args.{name}"
        for given, base in _made_of(hints.get(name)):
            _check_constructor(value, inner, given, base, named)
        _check_part(value, inner)


def _check_constructor(
    part: Mapping[str, Any], key: str, given: Sequence[Any], base: type, owner: type | FunctionType
) -> None:
    """Checks whether a class of one's own can be called with what its owner gives it, and with its own arguments."""
    named = _own_class(part["class_path"])
    if named is None or why_abstract(part["class_path"]):
        return
    try:
        inspect.signature(named).bind(*given, **(part.get("init_args") or {}))
    except TypeError as error:
        expected = _first_names(base, len(given)) or [getattr(each, "__name__", str(each)) for each in given]
        raise UserError(
            f"{key}: {part['class_path']}{_signature(named)} cannot be made ({error}): {owner.__name__} calls its "
            f"constructor with ({', '.join(expected)}); let it begin with these, as that of {base.__name__}"
        ) from error


def _check_methods(class_path: str, key: str) -> None:
    """Checks whether the methods of a class of one's own take what those are called with that they replace."""
    named = _own_class(class_path)
    for base in named.__mro__[1:] if named is not None else ():
        for name, asked in vars(base).items() if base.__module__.startswith(_CALLED_BY_US) else ():
            method = inspect.getattr_static(named, name)
            if name.startswith("_") or method is asked or not all(isinstance(f, FunctionType) for f in (asked, method)):
                continue
            arguments = [None for each in inspect.signature(asked).parameters.values() if each.kind in _POSITIONAL]
            try:
                inspect.signature(method).bind(*arguments)
            except TypeError as error:
                raise UserError(
                    f"{key}: {class_path}.{name}{_signature(method)} does not take what it is called with ({error}): "
                    f"{base.__name__}.{name}{_signature(asked)}"
                ) from error


def _made_of(hint: Any) -> Iterator[tuple[Sequence[Any], type]]:  # noqa: ANN401 - annotations have no common type
    """For each callable in an annotation what it is given, and the class of what it makes."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        for argument in arguments:
            yield from _made_of(argument)
    elif origin is CallableABC and isinstance(arguments[0], list) and isinstance(arguments[1], type):
        yield arguments[0], arguments[1]


def _first_names(base: type, count: int) -> list[str]:
    """What a base class calls the first arguments of its constructor; nothing where it has none of its own."""
    if "__init__" not in vars(base):
        return []
    parameters = list(inspect.signature(base).parameters.values())
    return [parameter.name for parameter in parameters[:count] if parameter.kind in _POSITIONAL]


def _owner(named: type, method: str) -> type:
    """The class that asks for a method: the last in the order of resolution in which it is abstract."""
    return next(each for each in reversed(named.__mro__) if method in getattr(each, "__abstractmethods__", ()))


def _signature(function: Any) -> str:  # noqa: ANN401 - a property as well
    """What something takes, as it is written where it is defined, without annotations."""
    if not callable(function):
        return ""
    parameters = inspect.signature(function).parameters.values()
    return f"({', '.join(parameter.name for parameter in parameters if parameter.name != 'self')})"
