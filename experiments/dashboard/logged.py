"""What runs logged to W&B, as their directories tell it; nobody is asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from datamodules.errors import UserError
from experiments.loggers import RunWandbLogger
from experiments.loggers.run_wandb import RUN_ID_FILE
from experiments.storage.layout import CONFIG, METRICS
from experiments.storage.metrics_table import read_metrics

PART = re.compile(r"(?:offline-)?run-\d{8}_\d{6}-(.+)")
"""A directory of W&B in a run's: one for each time that it was begun. The last word is the run's id."""

MEDIA = re.compile(r"(.+)_\d+_[0-9a-f]{20}(?:\.table)?\.\w+")
"""A file of W&B: the last word of its key, the step, and a hash of what it holds."""


class Keys(NamedTuple):
    """The names under which something was logged, in the order of the alphabet.

    Attributes:
        metrics: Numbers.
        pictures: Pictures.
        tables: Tables.
    """

    metrics: tuple[str, ...]
    pictures: tuple[str, ...]
    tables: tuple[str, ...]


class Place(NamedTuple):
    """Where in W&B runs are.

    Attributes:
        project: The project; empty where no config names one.
        entity: The user or team; empty where no config names one.
    """

    project: str
    entity: str


def keys_of(runs: Sequence[Path]) -> Keys:
    """What any of some runs logged.

    Args:
        runs: Their directories.
    """
    metrics = {name for run in runs if (run / METRICS).is_file() for name in read_metrics(run / METRICS)}
    pictures, tables = ({key for run in runs for key in _media(run, kind)} for kind in ("images", "table"))
    return Keys(*(tuple(sorted(names)) for names in (metrics, pictures, tables)))


def run_id(run: Path) -> str | None:
    """A run's id in W&B; None where it was not logged there.

    Args:
        run: Its directory.
    """
    if (run / RUN_ID_FILE).is_file():
        return (run / RUN_ID_FILE).read_text(encoding="utf-8").strip()
    return next((found[1] for found in map(PART.fullmatch, _parts(run)) if found), None)


def waits_for_sync(run: Path) -> bool:
    """Whether a part of a run was logged offline, and not uploaded since.

    Args:
        run: Its directory.
    """
    parts = (run / RUN_ID_FILE.parent).glob("offline-run-*")
    return any(not any(part.glob("*.synced")) for part in parts)


def place_of(runs: Sequence[Path]) -> Place:
    """The project and entity that the configs of runs name.

    Args:
        runs: Their directories.

    Raises:
        UserError: They name several.
    """
    places = sorted({place for run in runs if (place := _place(run)).project})
    if len(places) > 1:
        told = " and ".join("/".join(filter(None, (place.entity, place.project))) for place in places)
        raise UserError(f"the runs are of several projects in W&B, {told}: give the directory of one run")
    return places[0] if places else Place("", "")


def _place(run: Path) -> Place:
    """What the config of a run says of its W&B logger."""
    if not (run / CONFIG).is_file():
        return Place("", "")
    config = yaml.safe_load((run / CONFIG).read_text(encoding="utf-8"))
    named = config.get("trainer", {}).get("logger")
    for logger in named if isinstance(named, list) else [named]:
        if isinstance(logger, dict) and str(logger.get("class_path", "")).endswith(f".{RunWandbLogger.__name__}"):
            given = logger.get("init_args", {})
            return Place(given.get("project") or "", given.get("entity") or "")
    return Place("", "")


def _parts(run: Path) -> list[str]:
    return sorted(path.name for path in (run / RUN_ID_FILE.parent).glob("*run-*"))


def _media(run: Path, kind: str) -> set[str]:
    """The keys of a run's pictures or tables."""
    keys = set()
    for directory in (run / RUN_ID_FILE.parent).glob(f"*run-*/files/media/{kind}"):
        for path in directory.rglob("*"):
            if path.is_file() and (found := MEDIA.fullmatch(path.name)):
                keys.add(str(path.relative_to(directory).with_name(found[1])))
    return keys
