"""Which classes a checkpoint may name.

A checkpoint says by class path of which model, data, parts and tokenizers it was made, and building them again imports
and calls what it names. A path from a stranger can name anything: importing a module runs it, and ``torch.hub.load`` or
``torch.utils.cpp_extension.load`` as a "class" runs whatever its arguments say. So a checkpoint is refused unless

* each class path lies in this project, in :mod:`torch.nn` or :mod:`torch.optim`, no part of it beginning with an
  underscore, is :data:`_LIGHTNING`, or lies in a package that the user trusts. This is checked before anything is
  imported;
* each of them, unless the user trusts its package, is a class, and is defined where the first rule allows it:
  ``lightning_modules.nmt.torch.hub.load`` begins like one of ours, but is not;
* a string argument stands where text is expected. Elsewhere it is a class path, and the rules above hold for it:
  jsonargparse imports what a string names where it expects a class or a function, and reads the string as YAML, or as
  the name of a file with more of it.

The user trusts a package by ``--trust``, or by a config or an option of the same command that names a class of it: that
class is imported anyway. Nothing that lies beside a checkpoint grants trust, for it may come from elsewhere too.
"""

from __future__ import annotations

import contextlib
import importlib
import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from enum import Enum
from pathlib import Path
from types import FunctionType, NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from datamodules.errors import UserError
from datamodules.hyperparameters import SCRIPT
from experiments.config.own_modules import why_not_found

_PROJECT = ("datamodules", "lightning_modules", "experiments")
_TORCH = ("torch.nn", "torch.optim")
_LIGHTNING = "lightning.pytorch.cli.ReduceLROnPlateau"
_LIGHTNING_PARTS = tuple(
    f"lightning.pytorch.{name}" for name in ("callbacks", "loggers", "profilers", "strategies", "plugins")
)
_INSTANTIATOR = "lightning.pytorch.cli.instantiate_module"
DATA_HYPERPARAMETERS = "datamodule_hyper_parameters"
"""Where Lightning keeps the arguments of the data module."""

_HYPERPARAMETERS = ("hyper_parameters", DATA_HYPERPARAMETERS)
_CONFIG_PARTS = ("model", "data", "trainer")
_CONFIG_TEXTS = ("trainer.default_root_dir", "trainer.max_time", "trainer.val_check_interval", "trainer.devices")
_CLASS_KEYS = ("class_path", "_class_path")
_ARGUMENT_KEYS = ("init_args", "dict_kwargs")
_WIDE = ("torch", "lightning", "lightning_fabric", "pytorch_lightning", "numpy")
_DOTTED = re.compile(r"[A-Za-z]\w*(\.\w+)+", re.ASCII)
_HIDDEN = re.compile(r"\._")
_WORD = re.compile(r"[\w +-]*", re.ASCII)
_TEXT_TYPES = (str, int, float, bool, bytes, NoneType, Path)
_COMPOUND = (Union, UnionType, list, tuple, set, dict, Sequence, Mapping)


class NotTrusted(UserError):
    """A name lies in a package that the user did not say to trust.

    Args:
        class_paths: The names, at least one.

    Attributes:
        packages: What ``--trust`` would have to name.
    """

    def __init__(self, *class_paths: str) -> None:
        self.packages = list(dict.fromkeys(path.partition(".")[0] for path in class_paths))
        super().__init__(
            f"names {class_paths[0]}, which is no part of seqlab, torch.nn or torch.optim: nothing of it was run; if "
            f"you trust whoever made the file, add {' '.join(f'--trust {package}' for package in self.packages)}"
        )


def import_classes(hyperparameters: Mapping[str, Any]) -> None:
    """Imports every class that is named, as making them would; check them first.

    Args:
        hyperparameters: The hyperparameters in a checkpoint.

    Raises:
        UserError: One is not found. The message begins with a verb.
    """
    for class_path in _class_paths(hyperparameters):
        resolve(class_path)


def trusted_by(settings: Mapping[str, Any]) -> list[str]:
    """What a config and the options of a command trust, in that they name it.

    Args:
        settings: As parsed: every class that they name was found.

    Returns:
        The packages of their classes, those included in which a class is defined that another one passes on. Of
        Python's own modules and of :data:`_WIDE`, which have callables for everything, the very classes alone.
    """
    trusted: dict[str, None] = {}
    for class_path in filter(_DOTTED.fullmatch, _named_in(settings)):
        names = [class_path]
        with contextlib.suppress(UserError):  # a class within a class
            named = resolve(class_path)
            names.append(f"{named.__module__}.{named.__qualname__}")
        for name in names:
            package = name.partition(".")[0]
            is_wide = package in _WIDE or package in sys.stdlib_module_names
            if package not in _PROJECT:  # whose classes may be named, but not all that its modules import
                trusted[name if is_wide else package] = None
    return list(trusted)


def _named_in(settings: object) -> Iterator[str]:
    """The class paths of parsed settings, and the paths of functions, which are imported there already."""
    if isinstance(settings, FunctionType):
        yield f"{settings.__module__}.{settings.__qualname__}"
    elif isinstance(settings, Mapping):
        for key, entry in settings.items():
            if key == "class_path" and isinstance(entry, str):
                yield entry
            else:
                yield from _named_in(entry)
    elif isinstance(settings, list | tuple):
        for entry in settings:
            yield from _named_in(entry)


def packages_to_trust(checkpoint: Mapping[str, Any]) -> list[str]:
    """The packages that ``--trust`` has to name before a checkpoint is read.

    Args:
        checkpoint: One that this process would write: the classes it names are imported already.

    Raises:
        UserError: It names what nobody can trust.
    """
    packages: list[str] = []
    while True:
        try:
            check_class_paths(checkpoint, packages)
        except NotTrusted as refusal:
            packages += refusal.packages
        else:
            return packages


def check_class_paths(checkpoint: Mapping[str, Any], trusted: Sequence[str] = (), unused: Collection[str] = ()) -> None:
    """Refuses a checkpoint that names what it may not.

    Args:
        checkpoint: As loaded, tensors and plain values only.
        trusted: Packages (or modules) of which any name may be used.
        unused: Keys of which nothing will be made: what they name is not imported, not even to be looked at.

    Raises:
        UserError: A name is not trusted, or does not exist. The message begins with a verb, whose subject is the file.
    """
    refused = []
    for class_path in _class_paths(checkpoint):
        try:
            _check_name(class_path, trusted)
        except NotTrusted:
            refused.append(class_path)
    if refused:
        raise NotTrusted(*refused)
    used = {key: value for key, value in checkpoint.items() if key not in unused}
    for class_path in _class_paths(used):
        _check_is_class(class_path, trusted)
    for key in _HYPERPARAMETERS:
        hyperparameters = used.get(key)
        if isinstance(hyperparameters, Mapping) and "_class_path" in hyperparameters:
            _check_arguments(hyperparameters["_class_path"], hyperparameters, key, trusted)


def check_config_classes(config: Mapping[str, Any], trusted: Sequence[str] = ()) -> None:
    """Refuses the config of a run's directory that names what a checkpoint may not; parts of Lightning's are permitted.

    Args:
        config: As loaded, plain values only.
        trusted: Packages (or modules) of which any name may be used.

    Raises:
        UserError: A name is not trusted, or does not exist. The message begins with a verb, whose subject is the file.
    """
    for class_path in _class_paths(config):
        _check_name(class_path, trusted, _LIGHTNING_PARTS)
        _check_is_class(class_path, trusted, _LIGHTNING_PARTS)
    for key, value in config.items():
        _check_config_strings(value, key, trusted)


def _check_config_strings(value: object, where: str, trusted: Sequence[str]) -> None:
    """Checks the strings of a config: in a part by what it takes, elsewhere those that could name a class or a file."""
    if isinstance(value, Mapping) and "class_path" in value:
        _check_strings(value, Any, where, trusted, _LIGHTNING_PARTS)
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            _check_config_strings(entry, f"{where}.{key}", trusted)
    elif isinstance(value, list):
        for entry in value:
            _check_config_strings(entry, where, trusted)
    elif isinstance(value, str) and where.startswith(_CONFIG_PARTS):
        if _DOTTED.fullmatch(value):
            _check_name(value, trusted, _LIGHTNING_PARTS)
            _check_is_class(value, trusted, _LIGHTNING_PARTS)
        elif not _WORD.fullmatch(value) and where not in _CONFIG_TEXTS:
            raise UserError(f"has {value!r} in {where}, where only a plain word may stand: nothing of it was run")


def resolve(class_path: str) -> Any:  # noqa: ANN401 - whatever has that name
    """Imports what a class path names; check it first.

    Args:
        class_path: Dotted: a module, then a name in it.

    Raises:
        UserError: There is no such module or name, or the module fails. The message begins with a verb.
    """
    module_name, _, name = class_path.rpartition(".")
    try:
        return getattr(importlib.import_module(module_name), name)
    except Exception as error:  # whatever a module does when it is imported
        if why := why_not_found(class_path):
            raise UserError(f"names {class_path}: {why}") from error
        raise UserError(
            f"names {class_path}, which does not exist here: install its package, or the seqlab that wrote the file"
        ) from error


def _class_paths(value: object) -> Iterator[str]:
    """Every class path, wherever it stands, that a key calls one."""
    if isinstance(value, Mapping):
        for key, entry in value.items():
            if key in (*_CLASS_KEYS, "_instantiator") and not isinstance(entry, str):
                raise UserError(f"is damaged: a {key} in it is no name, but a {type(entry).__name__}")
            if key in _CLASS_KEYS:
                yield entry
            elif key == "_instantiator" and entry != _INSTANTIATOR:
                raise UserError(f"names {entry!r} in place of {_INSTANTIATOR}: nothing of it was run")
            else:
                yield from _class_paths(entry)
    elif isinstance(value, list | tuple | set):
        for entry in value:
            yield from _class_paths(entry)


def _is_within(class_path: str, packages: Sequence[str]) -> bool:
    return any(f"{class_path}.".startswith(f"{package}.") for package in packages)


def _is_permitted(class_path: str, further: Sequence[str]) -> bool:
    return _is_within(class_path, (*_PROJECT, *_TORCH, *further)) or class_path == _LIGHTNING


def _check_name(class_path: str, trusted: Sequence[str], further: Sequence[str] = ()) -> None:
    """Checks the words of a class path; imports nothing."""
    if class_path.startswith(f"{SCRIPT}."):
        raise UserError(
            f"names {class_path}, which was defined in the script that wrote it: define it in a module, and train anew"
        )
    is_permitted = _is_permitted(class_path, further)
    if not _DOTTED.fullmatch(class_path) or (is_permitted and _HIDDEN.search(class_path)):
        raise UserError(f"has {class_path!r} where a class path belongs: nothing of it was run")
    if not (is_permitted or _is_within(class_path, trusted)):
        raise NotTrusted(class_path)


def _check_is_class(class_path: str, trusted: Sequence[str], further: Sequence[str] = ()) -> None:
    """Checks what a path names, whose words were checked before."""
    if _is_within(class_path, trusted):
        return
    named = resolve(class_path)
    if not isinstance(named, type) or not _is_permitted(f"{named.__module__}.{named.__qualname__}", further):
        raise UserError(
            f"names {class_path}, which is no class of seqlab, torch.nn or torch.optim: nothing of it was run"
        )


def _check_arguments(
    class_path: str, arguments: Mapping[str, Any], where: str, trusted: Sequence[str], further: Sequence[str] = ()
) -> None:
    """Checks the strings among the arguments of a class that was checked before."""
    hints = constructor_hints(resolve(class_path))
    for name, value in arguments.items():
        if name not in (*_CLASS_KEYS, "_instantiator"):
            _check_strings(value, hints.get(name, Any), f"{where}.{name}", trusted, further)


def _check_strings(
    value: object,
    hint: Any,  # noqa: ANN401 - annotations have no common type
    where: str,
    trusted: Sequence[str],
    further: Sequence[str] = (),
) -> None:
    """Checks the strings in a value for which a parameter has an annotation; Any where it has none."""
    if isinstance(value, Mapping) and "class_path" in value:
        for key in _ARGUMENT_KEYS:
            arguments = value.get(key, {})
            if not isinstance(arguments, Mapping):
                raise UserError(f"has {arguments!r} in {where}.{key} in place of arguments: nothing of it was run")
            _check_arguments(value["class_path"], arguments, f"{where}.{key}", trusted, further)
    elif isinstance(value, Mapping):
        fields = _fields(hint)
        for key, entry in value.items():
            _check_strings(entry, fields.get(key, hint), f"{where}.{key}", trusted, further)
    elif isinstance(value, list | tuple | set):
        for entry in value:
            _check_strings(entry, hint, where, trusted, further)
    elif isinstance(value, str) and hint is Any:
        if not _WORD.fullmatch(value):
            raise UserError(
                f"has {value!r} in {where}, where only a plain word may stand, unless the argument has an annotation "
                "(str, Path): nothing of it was run"
            )
    elif isinstance(value, str) and not all(map(_is_text, _leaves(hint))):
        _check_name(value, trusted, further)
        _check_is_class(value, trusted, further)


def constructor_hints(part: object) -> dict[str, Any]:
    """The annotations of a class's constructor, those of its bases included; empty where they cannot be told.

    Args:
        part: The class.
    """
    hints: dict[str, Any] = {}
    for owner in reversed(part.__mro__ if isinstance(part, type) else ()):
        constructor = vars(owner).get("__init__")
        if isinstance(constructor, FunctionType):
            # A name that is imported for type checkers alone cannot be looked up.
            with contextlib.suppress(NameError):  # imported for type checkers alone
                hints |= get_type_hints(constructor)
    return hints


def _fields(hint: Any) -> dict[str, Any]:  # noqa: ANN401 - annotations have no common type
    """The annotations of the fields of a dataclass, or of a union of some: a config gives those as dicts."""
    fields: dict[str, Any] = {}
    for leaf in filter(is_dataclass, _leaves(hint)):
        for name, field_hint in constructor_hints(leaf).items():
            fields[name] = Union[fields.get(name, field_hint), field_hint]  # noqa: UP007 - made while running
    return fields


def _is_text(leaf: object) -> bool:
    return leaf in _TEXT_TYPES or (isinstance(leaf, type) and issubclass(leaf, Enum))


def _leaves(hint: Any) -> Iterator[Any]:  # noqa: ANN401 - annotations have no common type
    """The types of a union or container; of a Literal those of its values."""
    origin = get_origin(hint)
    if origin is Literal:
        yield from map(type, get_args(hint))
    elif origin in _COMPOUND:
        for argument in get_args(hint):
            if argument is not Ellipsis:
                yield from _leaves(argument)
    else:
        yield hint if origin is None else origin
