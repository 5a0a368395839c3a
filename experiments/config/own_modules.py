"""Modules of one's own, whose classes are named in configs: where they are looked for, and why one is not found."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
import sysconfig
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType

from datamodules.errors import UserError, suggest

SEQLAB = ("datamodules", "lightning_modules", "experiments")

KNOWN_PACKAGES = (*SEQLAB, "torch", "lightning", "torchmetrics")
"""What configs name most: a package with nearly such a name is mistyped."""


def look_in_working_directory() -> None:
    """Lets modules of the working directory be imported, where no other has their name."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)


def why_not_found(class_path: str) -> str | None:
    """Words why a class path leads to nothing; its module is imported.

    Args:
        class_path: Dotted: a module, then a name in it.

    Returns:
        What is wrong: the package is missing, fails when it is imported, or has no such module or name. None where it
        leads somewhere, has no module, or is nearly a path of a package that is known: others tell of those.
    """
    module_name, _, name = class_path.rpartition(".")
    package = module_name.partition(".")[0]
    if not module_name:
        return None
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name == package:
            return None if get_close_matches(package, KNOWN_PACKAGES) else _no_package(package, class_path)
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            return _fails(class_path, error)
        return _no_module(error.name)
    except (Exception, SystemExit) as error:  # whatever a module does when it is imported
        return _fails(class_path, error)
    if hasattr(module, name) or package in KNOWN_PACKAGES:
        return None
    return f"{_shown(module)} has no class '{name}': {suggest(name, _classes(module), 'in that file')}"


@contextmanager
def own_errors() -> Iterator[None]:
    """Within it parts are made; what fails in a constructor of one's own is told with its place.

    Raises:
        UserError: Something did, whatever it was wrapped in.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        for each in chain_of(error):
            if isinstance(each, UserError):
                break
            if place := where(each):
                said = " ".join(str(each).split())
                raise UserError(f"{place}: {type(each).__name__}: {said}") from error
        raise


def chain_of(error: BaseException | None) -> list[BaseException]:
    """An error and those that it was raised from, the first one first.

    Args:
        error: As caught.
    """
    chain: list[BaseException] = []
    while error is not None:
        chain.insert(0, error)
        error = error.__cause__ or error.__context__
    return chain


def where(error: BaseException) -> str:
    """The place, outside of seqlab and of installed packages, at which an error arose; empty where there is none.

    Args:
        error: As caught.

    Returns:
        ``myatt.MyAttention.score, /home/me/myatt.py, line 12``; of a syntax error the file and the line alone.
    """
    if isinstance(error, SyntaxError) and error.filename is not None:
        return f"{error.filename}, line {error.lineno}"
    own = [place for place in traceback.walk_tb(error.__traceback__) if is_own_file(place[0].f_code.co_filename)]
    if not own:
        return ""
    frame, line = own[-1]
    code = frame.f_code
    name = "" if code.co_name.startswith("<") else f"{frame.f_globals.get('__name__')}.{code.co_qualname}, "
    return f"{name}{code.co_filename}, line {line}"


def is_own_file(file: str) -> bool:
    """Whether a file is neither seqlab's, nor Python's, nor an installed package's."""
    seqlab, path = Path(__file__).parents[2], Path(file)
    if file.startswith("<") or path.is_relative_to(sysconfig.get_path("stdlib")):
        return False
    is_ours = path.is_relative_to(seqlab) and path.relative_to(seqlab).parts[0] in SEQLAB
    return not (is_ours or {"site-packages", "dist-packages"} & set(path.parts))


def _no_package(package: str, class_path: str) -> str:
    return (
        f"package {package} cannot be found (for {class_path}): set PYTHONPATH to the directory that holds it, or run "
        "seqlab in that directory"
    )


def _no_module(name: str) -> str | None:
    """What is said of a package without such a module; None where it is a class that holds another one."""
    parent_name, _, last = name.rpartition(".")
    parent = importlib.import_module(parent_name)
    if hasattr(parent, last) or parent_name.partition(".")[0] in KNOWN_PACKAGES:
        return None
    modules = [found.name for found in pkgutil.iter_modules(getattr(parent, "__path__", []))]
    return f"{_shown(parent)} has no module '{last}': {suggest(last, modules, 'in that directory')}"


def _fails(class_path: str, error: BaseException) -> str:
    said = error.msg if isinstance(error, SyntaxError) else " ".join(str(error).split())
    told = said if isinstance(error, ModuleNotFoundError) else f"{type(error).__name__}: {said}"
    place = where(error)
    return f"{class_path} cannot be imported: {told}{f' ({place})' if place else ''}"


def _shown(module: ModuleType) -> str:
    file = getattr(module, "__file__", None)
    return f"{module.__name__} ({file})" if file else module.__name__


def _classes(module: ModuleType) -> Iterable[str]:
    """The names of the classes that a module defines, or passes on from its own package; hidden ones are left out."""
    package = module.__name__.partition(".")[0]
    members = ((name, value) for name, value in vars(module).items() if isinstance(value, type))
    return [name for name, value in members if name[0] != "_" and value.__module__.partition(".")[0] == package]
