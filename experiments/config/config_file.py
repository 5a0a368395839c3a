"""What is wrong with a config before its keys are looked at: the file, and its YAML."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from datamodules.errors import UserError


def check_config_file(path: Path) -> yaml.MappingNode:
    """Refuses a file that is no mapping in YAML, or in which a key is given twice.

    Args:
        path: A file that exists.

    Returns:
        What it says, with its lines.

    Raises:
        UserError: What is wrong, with the file and the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"--config {path} is no text in UTF-8: give a YAML file") from error
    except OSError as error:
        raise UserError(f"--config {path} cannot be read: {error.strerror}") from error
    try:
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise UserError(_syntax_error(path, text, error)) from error
    except yaml.YAMLError as error:
        raise UserError(f"--config {path} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(root, yaml.MappingNode):
        state = "is empty" if root is None else "has no keys"
        raise UserError(f"--config {path} {state}: give model, data and trainer, as configs/nmt/dates.yaml does")
    for key, first, second in _repeated_keys(root, set()):
        raise UserError(f"--config {path}, line {second}: '{key}' is given in line {first} already: keep one of them")
    return root


def _syntax_error(path: Path, text: str, error: yaml.MarkedYAMLError) -> str:
    # A key without a colon is noticed in the line after it.
    is_key = error.context == "while scanning a simple key"
    mark = error.context_mark if is_key else error.problem_mark or error.context_mark
    line = text.splitlines()[mark.line] if mark.line < len(text.splitlines()) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        problem = "a tab stands before the text; YAML indents with spaces"
    else:
        problem = f"{error.problem} in {line.strip()[:40]!r}"
    return f"--config {path}, line {mark.line + 1}: {problem}"


def _repeated_keys(node: yaml.Node, seen: set[int]) -> Iterator[tuple[str, int, int]]:
    """Keys that a mapping has twice, each with both lines; a node that an alias repeats is looked at once."""
    if id(node) in seen or isinstance(node, yaml.ScalarNode):
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _repeated_keys(value, seen)
        return
    lines: dict[str, int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if isinstance(key, yaml.ScalarNode) and key.value in lines:
            yield key.value, lines[key.value], line
        elif isinstance(key, yaml.ScalarNode):
            lines[key.value] = line
        yield from _repeated_keys(value, seen)
