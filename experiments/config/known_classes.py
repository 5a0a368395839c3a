"""Which classes a config can name."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import typing
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from functools import cache
from itertools import chain
from types import ModuleType, UnionType
from typing import Literal, Union

from datamodules.errors import LONGEST_LIST

OWN_PACKAGES = (
    "lightning_modules",
    "datamodules",
    "experiments.baselines",
    "experiments.callbacks",
    "experiments.loggers",
    "experiments.metrics",
)
"""The packages of seqlab's own parts, at any depth."""

OTHER_MODULES = (
    "torch.optim",
    "torch.optim.lr_scheduler",
    "lightning.pytorch.callbacks",
    "lightning.pytorch.loggers",
    "lightning.pytorch.profilers",
    "lightning.pytorch.strategies",
)
"""The modules of others whose classes a config names."""

CLASS_KEYS = ("class_path", "init_args", "dict_kwargs")
"""The keys of a part that is a class; what the class takes stands under init_args."""


def expected_types(hint: object) -> Iterator[object]:
    """What a value for an annotation may be.

    Args:
        hint: An annotation. Of a callable what it makes counts, of a container what it holds.

    Yields:
        Plain types, classes and whole Literals; None is left out.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal or origin is None:
        if hint not in (None, type(None)):
            yield hint
    elif origin in (Union, UnionType):
        for argument in arguments:
            yield from expected_types(argument)
    elif arguments:
        yield from expected_types(arguments[-1])


def subclasses(bases: Iterable[type], *further: str) -> list[str]:
    """The import paths of the classes that can be made and derive from one of some classes.

    Args:
        bases: The classes.
        further: Modules to look into besides those that are known.
    """
    wanted = set(bases)
    paths: dict[type, str] = {}
    offered = (_offered(importlib.import_module(name)) for name in further)
    for path, member in chain(_known(), *offered):
        if wanted & set(member.__mro__[1:]):
            paths.setdefault(member, path)
    return sorted(paths.values())


def suggest_class(given: str, known: list[str]) -> str:
    """Words which classes a mistyped path could mean, and which exist.

    Args:
        given: What was typed: an import path, or the name of a class alone.
        known: The import paths of those that exist.
    """
    by_name = {path.rpartition(".")[2]: path for path in reversed(known)}
    close = get_close_matches(given.rpartition(".")[2], by_name, n=3, cutoff=0.6)
    words = [f"did you mean {' or '.join(repr(by_name[name]) for name in close)}?"] if close else []
    by_module: dict[str, list[str]] = {}
    for path in known:
        module, _, name = path.rpartition(".")
        by_module.setdefault(module, []).append(name)
    is_long = len(known) > LONGEST_LIST
    listed = [
        f"all of {module}" if is_long and module in OTHER_MODULES else f"in {module}: {', '.join(names)}"
        for module, names in by_module.items()
    ]
    return " ".join([*words, f"known {'; '.join(listed)}"] if listed else words) or "give its import path"


def import_parts() -> None:
    """Imports seqlab's own parts: then a config can name each by its class's name alone, and --help lists them."""
    _own_modules()


@cache
def _known() -> tuple[tuple[str, type], ...]:
    """The classes of seqlab's own modules and of those of others, with their import paths: to look takes a while."""
    modules = [*_own_modules(), *map(importlib.import_module, OTHER_MODULES)]
    return tuple(chain.from_iterable(map(_offered, modules)))


@cache
def _own_modules() -> tuple[ModuleType, ...]:
    return tuple(chain.from_iterable(map(_modules_of, OWN_PACKAGES)))


def _modules_of(name: str) -> Iterator[ModuleType]:
    package = importlib.import_module(name)
    yield package
    if not hasattr(package, "__all__"):  # which says what the package offers of its modules
        for module in pkgutil.walk_packages(getattr(package, "__path__", []), f"{name}."):
            yield importlib.import_module(module.name)


def _offered(module: ModuleType) -> Iterator[tuple[str, type]]:
    """The classes that a module offers and that can be made, with their import paths."""
    for name, member in inspect.getmembers(module, inspect.isclass):
        public = not name.startswith("_") and (member.__module__ == module.__name__ or _passes_on(module, name))
        if public and not inspect.isabstract(member):
            yield f"{module.__name__}.{name}", member


def _passes_on(module: ModuleType, name: str) -> bool:
    """Whether a package offers a class of one of its modules as its own."""
    return hasattr(module, "__path__") and name in getattr(module, "__all__", dir(module))
