"""The parts that a config names: every class, by what it can stand in place of, with its arguments."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass

import lightning as L
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from experiments.config.class_paths import constructor_hints, resolve
from experiments.config.known_classes import OWN_PACKAGES, expected_types, import_parts, subclasses
from reference_pages.markdown import contents, summary, table

ROOTS = (L.LightningModule, L.LightningDataModule, Callback, Logger)
"""What an experiment is made of; all other kinds of parts are what the arguments of these take, and theirs in turn."""

PLAIN = (str, int, float, bool, object)

TITLES = {
    L.LightningModule: "Models",
    L.LightningDataModule: "Data modules",
    Callback: "Callbacks",
    Logger: "Loggers",
    Optimizer: "Optimizers",
    LRScheduler: "Learning-rate schedules",
}
"""Of the kinds whose base class is not seqlab's; the others are called after theirs."""

BEGINNING = """\
# Parts

Every class that a config can name, by the class that it is derived from: whatever derives from one can stand where
another does. `class_path` is the name of the class, `init_args` its arguments. What *the model gives* or *linked from
the data* is passed on, and is written nowhere.

- [How to swap a part](../../../howto/swap.md)
- [How to write one](../../../extend.md)

"""


@dataclass(frozen=True)
class Kind:
    """Classes that can stand in place of one another.

    Attributes:
        base: What all of them are.
        own: The import paths of seqlab's.
        others: Those of torch's or Lightning's.
    """

    base: type
    own: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its page."""
        return self.title.lower().replace(" ", "_").replace("-", "_")

    @property
    def title(self) -> str:
        """In words."""
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", self.base.__name__)
        return TITLES.get(self.base, words.capitalize())


def kinds() -> list[Kind]:
    """The kinds of parts, each after one whose arguments take it."""
    import_parts()
    open_bases: list[type] = list(ROOTS)
    found: dict[type, Kind] = {}
    while open_bases:
        base = open_bases.pop(0)
        if base not in found:
            found[base] = _kind(base)
            for path in found[base].own:
                open_bases += _taken(resolve(path))
    return [kind for kind in found.values() if kind.own or kind.others]


def part_pages() -> Mapping[str, str]:
    """The page that lists the parts, and one for each kind, by name."""
    known = kinds()
    rows = [(f"[{kind.title}]({kind.name}.md)", _names(kind)) for kind in known]
    listed = f"{BEGINNING}{table(('part', 'there is'), rows)}\n\n{contents(kind.name for kind in known)}\n"
    return {"parts/index": listed, **{f"parts/{kind.name}": _page(kind) for kind in known}}


def _kind(base: type) -> Kind:
    paths = subclasses([base])
    own = [path for path in paths if path.startswith(OWN_PACKAGES)]
    if base.__module__.startswith(OWN_PACKAGES) and not inspect.isabstract(base):
        own = list(dict.fromkeys([f"{base.__module__}.{base.__name__}", *own]))
    if base is L.LightningModule:
        own = [path for path in own if is_whole(resolve(path))]
    return Kind(base, tuple(own), tuple(path for path in paths if path not in own))


def needed(part: type) -> list[inspect.Parameter]:
    """The arguments that a part cannot do without.

    Args:
        part: A class.
    """
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    given = inspect.signature(part).parameters.values()
    return [each for each in given if each.default is each.empty and each.kind not in several]


def is_whole(model: type) -> bool:
    """Whether a model needs nothing but sizes, which the data tell; what needs more is there to be derived from.

    Args:
        model: A class.
    """
    return all(each.annotation in ("int", int) for each in needed(model))


def _taken(part: type) -> list[type]:
    """The classes of which the arguments of a part take an instance, or what makes one."""
    hints = constructor_hints(part).values()
    expected = [kind for hint in hints for kind in expected_types(hint)]
    return [kind for kind in expected if isinstance(kind, type) and kind not in PLAIN and subclasses([kind])]


def _names(kind: Kind) -> str:
    own = [f"`{path.rpartition('.')[2]}`" for path in kind.own]
    modules = dict.fromkeys(path.rpartition(".")[0] for path in kind.others)
    return ", ".join([*own, *(f"any of `{module}`" for module in modules)])


def _page(kind: Kind) -> str:
    is_own = kind.base.__module__.startswith(OWN_PACKAGES)
    parts = [f"# {kind.title}\n"]
    if is_own:
        parts.append(f"{summary(kind.base)}\n")
    if kind.own:
        rows = [(f"[`{path.rpartition('.')[2]}`](#{path})", summary(resolve(path))) for path in kind.own]
        parts.append(f"{table(('class', 'what it is'), rows)}\n")
    if kind.others:
        modules = dict.fromkeys(path.rpartition(".")[0] for path in kind.others)
        parts.append(f"Beside these any of {', '.join(f'`{module}`' for module in modules)}.\n")
    parts += [_documented(path) for path in kind.own]
    if is_own and inspect.isabstract(kind.base):
        base = f"{kind.base.__module__}.{kind.base.__name__}"
        parts.append(f"## What a class of your own has to be\n\n{_directive(base, members=True)}")
    return "\n".join(parts)


def _documented(path: str) -> str:
    name = path.rpartition(".")[2]
    return f"## {name}\n\n{_directive(path, members=False)}"


def _directive(path: str, members: bool) -> str:
    """A class as autodoc documents it."""
    lines = ["```{eval-rst}", f".. autoclass:: {path}"]
    lines += ["   :members:"] if members else []
    return "\n".join([*lines, "```\n"])
