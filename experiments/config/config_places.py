"""Where in a config file an error is: its line, and the part that it belongs to."""

from __future__ import annotations

import functools
import importlib
import inspect
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import get_args, get_origin

import jsonargparse
import yaml

from datamodules.errors import suggest
from experiments.config.given_values import takes_null
from experiments.config.known_classes import CLASS_KEYS, expected_types, subclasses
from experiments.config.renamed import moved_path
from experiments.config.unknown_options import is_unknown, unknown_option

_MERGE = "tag:yaml.org,2002:merge"
_NULL = "tag:yaml.org,2002:null"


@dataclass(frozen=True)
class Part:
    """A part of a config: a class with its arguments.

    Attributes:
        path: Where it is, for example ``model.init_args.decoder`` or ``trainer.callbacks[1]``.
        name: Name of its class; where a record may be one of several classes, the names of all.
        made: The class.
        options: What it takes.
        keys: The keys that stand beside class_path, each with its line.
        arguments: The keys under init_args, likewise.
        empty: Those of them that are null.
    """

    path: str
    name: str
    made: type | None
    options: ArgumentParser
    keys: dict[str, int]
    arguments: dict[str, int]
    empty: frozenset[str] = frozenset()

    def takes(self, key: str) -> bool:
        """Whether the class has an argument of that name."""
        return key not in CLASS_KEYS and not is_unknown(self.options, key)


def key_lines(root: yaml.MappingNode) -> dict[str, int]:
    """The line of each key of the first two levels; one of the second level as ``trainer.max_epochs``.

    Args:
        root: Root node of a config.
    """
    lines = {}
    for name, (line, value) in _entries(root).items():
        lines[name] = line
        lines |= {f"{name}.{inner}": line for inner, (line, _) in _entries(value).items()}
    return lines


def parts_of(root: yaml.MappingNode, parser: ArgumentParser, before: Mapping[str, type]) -> list[Part]:
    """The parts of a config, the outer before the inner.

    Args:
        root: Root node of the config.
        parser: Parser of the command.
        before: The classes of the configs before, by their paths: a config may leave out what they say.
    """
    parts: list[Part] = []
    for action in parser._actions:
        nodes: list[yaml.Node] = [root]
        for name in action.dest.split("."):  # with a + behind its name what is given is added to a list
            nodes = [
                entries[key][1] for entries in map(_entries, nodes) for key in (name, f"{name}+") if key in entries
            ]
        for node in nodes:
            parts.extend(_parts_in(node, action.dest, getattr(action, "_typehint", None), before))
    return parts


def misplaced(root: yaml.MappingNode, parser: ArgumentParser, parts: list[Part]) -> tuple[int, str] | None:
    """The first key of a config that no part takes where it stands.

    Args:
        root: Root node of the config.
        parser: Parser of the command.
        parts: The config's parts, from :func:`parts_of`.

    Returns:
        Its line, and what is wrong; None where all fit.
    """
    hints = {action.dest: getattr(action, "_typehint", None) for action in parser._actions}
    lists = {dest for dest, hint in hints.items() if any(get_origin(each) is list for each in (hint, *get_args(hint)))}
    groups = {dest.partition(".")[0] for dest in hints if "." in dest} - lists
    for key, line in key_lines(root).items():
        if is_unknown(parser, key):
            return line, unknown_option(parser, key) + _takers(parts, key.rpartition(".")[2])
        value = _entries(root)[key][1] if key in groups else root
        if not isinstance(value, yaml.MappingNode) and (not isinstance(value, yaml.ScalarNode) or value.tag == _NULL):
            return line, f"{key} has no keys: give some, one a line and indented, or leave {key} out"
    for key, line, node in _all_keys(root):
        if key == "class_path" and not isinstance(node, yaml.ScalarNode):
            return line, "class_path has to be the import path of a class"
        if key == "init_args" and not isinstance(node, yaml.MappingNode) and node.tag != _NULL:
            return line, "init_args has to be a mapping, NAME: VALUE in each line"
    return next((wrong for part in parts if (wrong := _misplaced_in(part, parts))), None)


def _misplaced_in(part: Part, parts: list[Part]) -> tuple[int, str] | None:
    place = f"{part.path} ({part.name})"
    for key, line in part.keys.items():
        if part.takes(key):
            return line, f"{place}: '{key}' stands beside class_path: put it under init_args"
        if key not in CLASS_KEYS:
            hint = suggest(key, (*CLASS_KEYS[:2], *_names(part.options)))
            return line, f"{place}: unknown option '{key}': {hint}{_takers(parts, key)}"
    for key, line in part.arguments.items():
        if key in CLASS_KEYS:
            return line, (
                f"{place}: '{key}' stands under init_args: it belongs one level up, or under the name of a part "
                f"that {part.name} takes: {', '.join(_names(part.options))}"
            )
        if not part.takes(key):
            return line, f"{place}: {unknown_option(part.options, key)}{_takers(parts, key)}"
    for action in part.options._actions:
        if action.dest in part.empty and not takes_null(action):
            return part.arguments[action.dest], f"{place}: {action.dest} is null: give a value, or leave it out"
    return None


def line_of_value(root: yaml.MappingNode, told: str) -> int | None:
    """The line of the value that an error tells of; None where it cannot be told.

    Args:
        root: Root node of the config.
        told: The error: names the key and the value, or a class path.
    """
    keys = list(_all_keys(root))
    for key, line, node in keys:
        for value in _texts(node):
            phrases = (f"{key} is '{value}'", f"there is no class '{value}'", f"{value} is no ", f"{value} cannot be")
            if value and any(phrase in told for phrase in phrases):
                return line
    named = {line for key, line, _ in keys if f"{key} is '" in told or f"{key} has init_args, but" in told}
    return named.pop() if len(named) == 1 else None


def _parts_in(node: yaml.Node, path: str, hint: object, before: Mapping[str, type]) -> Iterator[Part]:
    """The parts in a value for which an annotation says what it may be."""
    if isinstance(node, yaml.SequenceNode):
        for number, entry in enumerate(node.value):
            yield from _parts_in(entry, f"{path}[{number}]", hint, {})
        return
    entries = _entries(node)
    if not entries:
        return
    named = entries.get("class_path")
    bases = [kind for kind in expected_types(hint) if isinstance(kind, type)]
    if named is None:
        made = before.get(path)
    else:
        made = _class(moved_path(named[1].value), bases) if isinstance(named[1], yaml.ScalarNode) else None
    if made is not None:
        inner = _entries(entries["init_args"][1]) if "init_args" in entries else entries if named is None else {}
        options = _options(made)
        keys = {} if inner is entries else _lines(entries)
        empty = frozenset(key for key, (_, value) in inner.items() if value.tag == _NULL)
        yield Part(path, made.__name__, made, options, keys, _lines(inner), empty)
        if made is not before.get(path):
            before = {}
        for action in options._actions:
            if action.dest in inner:
                value, where = inner[action.dest][1], f"{path}.init_args.{action.dest}"
                yield from _parts_in(value, where, getattr(action, "_typehint", None), before)
    elif named is None:
        records = [base for base in bases if is_dataclass(base)]
        names = " or ".join(dict.fromkeys(base.__name__ for base in records or bases))
        if records:
            yield Part(path, names, None, _fields(tuple(records)), {}, _lines(entries))
        elif path.endswith("]"):  # what a list holds has no default class
            yield Part(path, names, None, _fields(()), _lines(entries), {})


@functools.cache
def _options(made: type) -> ArgumentParser:
    """What a class takes."""
    options = jsonargparse.ArgumentParser(exit_on_error=False, add_help=False)
    options.add_class_arguments(made, fail_untyped=False)
    return options


@functools.cache
def _fields(records: tuple[type, ...]) -> ArgumentParser:
    """What one of several records takes."""
    options = jsonargparse.ArgumentParser(exit_on_error=False, add_help=False)
    for name in dict.fromkeys(field.name for record in records if is_dataclass(record) for field in fields(record)):
        options.add_argument(f"--{name}")
    return options


def _class(path: str, bases: list[type]) -> type | None:
    """The class that a class path names, or the name of one alone; None where there is none."""
    if "." not in path:
        path = next((known for known in subclasses(bases) if known.rpartition(".")[2] == path), "")
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except Exception:  # whatever a module does when it is imported; the parser says what
        return None
    return found if inspect.isclass(found) else None


def _takers(parts: Iterable[Part], key: str) -> str:
    """Which parts of the config take a key that stands elsewhere."""
    places = [f"{part.path}.init_args" for part in parts if part.takes(key)]
    return f"; it could stand in {' or '.join(places[:3])}" if places else ""


def _names(options: ArgumentParser) -> list[str]:
    return sorted({action.dest.partition(".")[0] for action in options._actions})


def _lines(entries: Mapping[str, tuple[int, yaml.Node]]) -> dict[str, int]:
    return {key: line for key, (line, _) in entries.items()}


def _entries(node: yaml.Node | None) -> dict[str, tuple[int, yaml.Node]]:
    """The keys of a mapping, each with its line and its value; none of anything else."""
    if not isinstance(node, yaml.MappingNode):
        return {}
    entries: dict[str, tuple[int, yaml.Node]] = {}
    for key, value in node.value:
        if key.tag == _MERGE:
            for merged in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                entries = _entries(merged) | entries
        else:
            entries[str(key.value)] = (key.start_mark.line + 1, value)
    return entries


def _all_keys(node: yaml.Node, key: str = "") -> Iterator[tuple[str, int, yaml.Node]]:
    """Every value of a config, the outer before the inner, with the key that it stands under, and its line."""
    if isinstance(node, yaml.SequenceNode):
        for entry in node.value:
            yield key, entry.start_mark.line + 1, entry
            yield from _all_keys(entry, key)
    for inner, (line, value) in _entries(node).items():
        yield inner, line, value
        yield from _all_keys(value, inner)


def _texts(node: yaml.Node) -> set[str]:
    """How an error could write a plain value."""
    if not isinstance(node, yaml.ScalarNode):
        return set()
    return {node.value, str(yaml.safe_load(yaml.serialize(node)))}
