"""Private names of other packages: each one is known, and is still there."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch.nn import functional

from lightning_modules.kernels import onednn
from lightning_modules.kernels.linear import linear
from lightning_modules.kernels.packed_weights import PackedWeights
from lightning_modules.training import step_loss
from tests.private_names import PRIVATE_NAMES

PACKAGES = ("datamodules", "lightning_modules", "experiments")
PROJECT = Path(__file__).parents[1]


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def owner(path: str) -> object:
    """The module or class of a dotted path."""
    words = path.split(".")
    for length in range(len(words), 0, -1):
        try:
            found: object = importlib.import_module(".".join(words[:length]))
        except ModuleNotFoundError:
            continue
        for word in words[length:]:
            found = getattr(found, word)
        return found
    raise AssertionError(f"there is no {path}")


def has(place: object, name: str) -> bool:
    """Whether a module or class has a name, or its instances are given one."""
    if hasattr(place, name):
        return True
    bases = place.__mro__[:-1] if isinstance(place, type) else ()
    sources = (inspect.getsource(base) for base in bases if base.__module__ != "builtins")
    return any(f"self.{name}" in source or f'"{name}"' in source for source in sources)


@pytest.mark.parametrize(("path", "name"), [(path, name) for path, names in PRIVATE_NAMES.items() for name in names])
def test_it_is_still_there(path: str, name: str) -> None:
    assert has(owner(path), name), f"{path} has no {name} any more"


def test_a_name_that_is_gone_is_noticed() -> None:
    assert not has(owner("lightning.pytorch.loops.fit_loop._FitLoop"), "_never_there")
    assert not has(owner("torch.ops.mkldnn"), "_never_there")


@pytest.mark.usefixtures("seed")
def test_an_operation_that_is_absent_is_replaced_by_the_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onednn, "has_operations", lambda: False)
    inputs, weight = torch.randn(4, 512), torch.randn(512, 512)
    with torch.no_grad(), PackedWeights():
        assert torch.equal(linear(inputs, weight), functional.linear(inputs, weight))
    gradients = [torch.randn(3), torch.randn(2, 2)]
    expected = [each * 0.3 for each in gradients]
    monkeypatch.delattr(torch, "_foreach_mul_")
    step_loss._multiply(gradients, 0.3)
    for gradient, multiplied in zip(gradients, expected, strict=True):
        assert torch.equal(gradient, multiplied)


def test_the_list_is_complete() -> None:
    used = {name for path in sources() for name in foreign_names(path)} | set(overridden())
    known = {name for names in PRIVATE_NAMES.values() for name in names if is_private(name)}
    assert used - known == set(), "used and not listed"
    assert known - used == set(), "listed and not used"


def sources() -> list[Path]:
    return [path for package in PACKAGES for path in (PROJECT / package).rglob("*.py")]


def own_names() -> set[str]:
    """What the project itself defines, at any depth."""
    names: set[str] = set()
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _is_self(node.value):
                names.add(node.attr)
    return names


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


NAMED_TUPLES = {"_replace", "_asdict", "_fields"}
"""Private by their names only."""


def foreign_names(path: Path, own: set[str] = own_names()) -> Iterator[str]:  # noqa: B008 - once for all files
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in own | NAMED_TUPLES:
            yield node.attr
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("hasattr", "getattr"):
            yield from (name for name in map(_text, node.args) if is_private(name) and name not in own)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] not in PACKAGES:
            yield from (name.name for name in node.names if is_private(name.name))


def modules() -> Iterator[ModuleType]:
    for package in PACKAGES:
        for found in pkgutil.walk_packages([str(PROJECT / package)], f"{package}."):
            yield importlib.import_module(found.name)


def overridden() -> Iterator[str]:
    """Private methods of other packages' classes that the project's replace."""
    for module in modules():
        for kind in vars(module).values():
            if isinstance(kind, type) and kind.__module__ == module.__name__:
                others = [base for base in kind.__mro__ if base.__module__.partition(".")[0] not in PACKAGES]
                made_here = [
                    n for n, value in vars(kind).items() if getattr(value, "__module__", "") == module.__name__
                ]
                yield from (n for n in made_here if is_private(n) and any(n in vars(base) for base in others))
