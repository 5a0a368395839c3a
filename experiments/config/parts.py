"""Parts made anew of what a checkpoint keeps of them: class paths and arguments, as a config has them.

jsonargparse, which makes them of configs, is one of the packages that translating does without. What a checkpoint has
was parsed by it once; here no string is read as YAML or as the name of a file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from enum import Enum
from functools import partial
from inspect import Parameter, signature
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from datamodules.errors import suggest
from experiments.config.class_paths import constructor_hints, resolve

_CALLABLE = get_origin(Callable[..., Any])
_SEQUENCES: dict[object, type[list[Any] | tuple[Any, ...] | set[Any]]] = {
    list: list,
    tuple: tuple,
    set: set,
    Sequence: list,
    Collection: list,
}
_MAPPINGS = (dict, Mapping)


class UnfitValueError(TypeError):
    """A value that is not what the annotation of its parameter says."""


def make_part(part: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:  # noqa: ANN401 - of any class
    """Calls a class with arguments of a checkpoint.

    Args:
        part: The class.
        arguments: Plain values by parameter; a part in turn is a mapping with ``class_path`` and ``init_args``.

    Raises:
        UnfitValueError: A value does not fit its parameter; the message begins with the parameter.
        UserError: A class path leads nowhere.
    """
    return part(**_arguments(part, arguments))


def _arguments(part: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    hints, parameters = constructor_hints(part), signature(part).parameters
    takes_more = any(each.kind is Parameter.VAR_KEYWORD for each in parameters.values())
    made = {}
    for name, value in given.items():
        if name not in parameters and not takes_more:
            raise UnfitValueError(f"{name}: unknown; {suggest(name, parameters)}")
        try:
            made[name] = _made(value, hints.get(name, Any))
        except UnfitValueError as error:
            raise UnfitValueError(f"{name}: {error}") from error
    return made


def _made(value: Any, hint: Any) -> Any:  # noqa: ANN401 - values have no common type, nor have annotations
    """The value that an annotation asks for."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return _first_that_fits(value, get_args(hint))
    if origin is Literal:
        if value not in get_args(hint):
            raise UnfitValueError(f"{value!r:.80} is none of {', '.join(map(repr, get_args(hint)))}")
        return value
    if hint is Any:
        return _part(value, partially=False) if _is_part(value) else value
    if _CALLABLE in (origin, hint):
        return _factory(value, hint)
    if type in (origin, hint):
        return resolve(str(value))
    if origin in _MAPPINGS and isinstance(value, Mapping):
        return {key: _made(entry, get_args(hint)[1]) for key, entry in value.items()}
    if origin in _SEQUENCES or hint in _SEQUENCES:
        return _sequence(value, hint)
    if hint in (str, int, bool, NoneType, None):
        kind = NoneType if hint is None else hint
        return _checked(value, type(value) is kind, hint)
    if hint is float:
        return float(_checked(value, type(value) in (int, float), hint))
    is_record = is_dataclass(hint)
    if is_record and isinstance(value, Mapping) and not _is_part(value):
        return make_part(hint, value)
    if isinstance(hint, type) and issubclass(hint, Path):
        return hint(_checked(value, isinstance(value, str), hint))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint[str(_checked(value, value in hint.__members__, hint))]
    if isinstance(hint, type) and issubclass(hint, int | float | str):
        return hint(value)
    if _is_part(value) or isinstance(value, str):
        named = resolve(value["class_path"] if isinstance(value, Mapping) else value)
        are_classes = isinstance(named, type) and isinstance(hint, type) and not getattr(hint, "_is_protocol", False)
        _checked(named, not are_classes or issubclass(named, hint), hint)
        return _part(value, partially=False)
    plain = origin if isinstance(origin, type) else hint
    return _checked(value, not isinstance(plain, type) or isinstance(value, plain), hint)


def _first_that_fits(value: object, hints: Sequence[Any]) -> Any:  # noqa: ANN401 - as above
    told: list[str] = []
    for hint in hints:
        try:
            return _made(value, hint)
        except UnfitValueError as error:
            if hint is not NoneType:
                told.append(str(error))
    raise UnfitValueError(" and ".join(told))


def _factory(value: object, hint: Any) -> Any:  # noqa: ANN401 - as above
    """What makes a part of the sizes that it is called with; an object that can be called stands for itself."""
    made_kinds = tuple(kind for kind in _leaves(get_args(hint)[-1]) if isinstance(kind, type)) if get_args(hint) else ()
    _checked(value, _is_part(value) or isinstance(value, str), hint)
    named = resolve(value["class_path"] if isinstance(value, Mapping) else str(value))
    makes = not isinstance(named, type) or not made_kinds or issubclass(named, made_kinds)
    return _checked(_part(value, partially=makes), makes or callable(named), hint)


def _sequence(value: object, hint: Any) -> Any:  # noqa: ANN401 - as above
    kind = _SEQUENCES[get_origin(hint) or hint]
    arguments = [each for each in get_args(hint) if each is not Ellipsis]
    entries = list(_checked(value, isinstance(value, list | tuple | set), hint))
    if kind is tuple and len(arguments) == len(entries):
        return tuple(_made(entry, each) for entry, each in zip(entries, arguments, strict=True))
    return kind(_made(entry, arguments[0] if arguments else Any) for entry in entries)


def _is_part(value: object) -> bool:
    return isinstance(value, Mapping) and "class_path" in value


def _part(value: object, partially: bool) -> Any:  # noqa: ANN401 - as above
    """The part that a class path names, alone or with arguments; all of it, or the class with those arguments."""
    if not isinstance(value, Mapping):
        named = resolve(str(value))
        return named if partially else named()
    named = resolve(value["class_path"])
    arguments = _arguments(named, {**value.get("init_args", {}), **value.get("dict_kwargs", {})})
    return partial(named, **arguments) if partially else named(**arguments)


def _leaves(hint: Any) -> Iterator[Any]:  # noqa: ANN401 - as above
    for each in get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,):
        yield get_origin(each) or each


def _checked(value: Any, fits: bool, hint: Any) -> Any:  # noqa: ANN401 - as above
    if not fits:
        raise UnfitValueError(f"{value!r:.80} is no {getattr(hint, '__name__', None) or hint}")
    return value
