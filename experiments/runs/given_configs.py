"""The configs of a command: a run's own where none is given, and which of several decides."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from datamodules.errors import UserError
from experiments.checkpoints.reading import load_archive
from experiments.config.class_paths import check_config_classes
from experiments.config.config_file import check_config_file
from experiments.config.renamed import moved
from experiments.storage.layout import CHECKPOINTS, CONFIG, KEYWORDS, find_checkpoint
from experiments.storage.shell import shown

PARTS = ("model", "data")
"""What makes an experiment of a config."""

CONFIG_OPTIONS = ("--config", "-c")
"""What a config file is given to."""


def configs_first(arguments: list[str]) -> list[str]:
    """The arguments with the configs before the options: what is typed wins over every file, wherever it stands.

    Args:
        arguments: The words of the command line, the subcommand first.
    """
    configs: list[str] = []
    options: list[str] = []
    words = iter(arguments[1:])
    for word in words:
        if word in CONFIG_OPTIONS:
            configs += [word, *next(([each] for each in words), [])]
        elif word.startswith("--config="):
            configs.append(word)
        else:
            options.append(word)
    return [*arguments[:1], *configs, *options]


def with_config_of_run(arguments: list[str]) -> list[str]:
    """The arguments, with the config of the run that ``--ckpt_path`` names where no config is given.

    Args:
        arguments: The words of the command line, the subcommand first.

    Raises:
        UserError: There is no such checkpoint, or the run's config names a class that is not trusted: its directory
            may come from elsewhere.
    """
    named = next(_values(arguments, "--ckpt_path"), None)
    if named is None or any(True for name in CONFIG_OPTIONS for _ in _values(arguments, name)):
        return arguments
    given = Path(named)
    run = given.parent.parent if given.parent.name == CHECKPOINTS else given
    config = run / CONFIG
    if not config.is_file():
        if named not in KEYWORDS:
            load_archive(find_checkpoint(given))  # says what there is in its place
        return arguments
    check_config_file(config)
    content: dict[str, Any] = moved(yaml.safe_load(config.read_text(encoding="utf-8")))
    trusted = [word for value in _values(arguments, "--trust") for word in _words(value)]
    try:
        check_config_classes(content, trusted)
    except UserError as error:
        raise UserError(f"{shown(config)} {error}") from error
    # What the config says of trust does not count either.
    return [arguments[0], "--config", str(config), "--trust", json.dumps(trusted), *arguments[1:]]


def decided_by(configs: Sequence[Path]) -> str | None:
    """Says which of several configs decides model and data, where more than one has both.

    Args:
        configs: In the order of the command line; readable.
    """
    whole = [path for path in configs if _is_experiment(path)]
    if len(whole) < 2:
        return None
    names = [str(shown(path)) for path in whole]
    return (
        f"{' and '.join(names)} are whole experiments: model and data are those of {names[-1]}, the last, and what it "
        f"does not say is still that of {' and '.join(names[:-1])}"
    )


def _is_experiment(path: Path) -> bool:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return all(isinstance(content.get(part), dict) and "class_path" in content[part] for part in PARTS)


def _values(arguments: list[str], option: str) -> Iterator[str]:
    """What was given to an option, each time."""
    for word, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if word == option:
            yield following
        elif word.startswith(f"{option}="):
            yield word.partition("=")[2]


def _words(value: str) -> list[str]:
    """One word, or a list of them in YAML."""
    read = yaml.safe_load(value)
    return [str(word) for word in read] if isinstance(read, list) else [value]
