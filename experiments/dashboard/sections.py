"""Which panels stand together: what a study compares, curves, exposure bias, attention, translations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.dashboard.logged import Keys

COMPARED, VALIDATION, TRAINING, TEST = "Compared", "Validation", "Training", "Test"
EXPOSURE, ATTENTION, TEXTS, PICTURES = "Exposure bias", "Attention", "Translations", "Pictures"

ORDER = (COMPARED, VALIDATION, EXPOSURE, ATTENTION, TEXTS, TRAINING, TEST, PICTURES)

EXPOSURE_NAMES = ("exposure", "exposure_gap", "edit_rate", "first_error")
"""What is logged of a model that goes on from its own history, beside all that is free-running."""

ATTENTION_NAMES = ("attention", "alignment", "importance")
"""How the names begin of what a model attends to."""


@dataclass(frozen=True)
class Section:
    """Panels that stand together, by the names under which their content was logged.

    Attributes:
        title: Its heading.
        curves: Numbers through training.
        bars: Numbers of a test, one for each run.
        pictures: Pictures.
        tables: Tables.
    """

    title: str
    curves: tuple[str, ...] = ()
    bars: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()


def sections_of(keys: Keys, compared: Sequence[str]) -> list[Section]:
    """Sorts what was logged; each name is in one section.

    Args:
        keys: What was logged.
        compared: The metrics that a study compares.
    """
    numbers = {name: COMPARED if name in compared else _kind(name, _by_stage(name)) for name in keys.metrics}
    pictures = {name: _kind(name, PICTURES) for name in keys.pictures}
    sections = []
    for title in ORDER:
        names = [name for name, kind in numbers.items() if kind == title]
        section = Section(
            title,
            curves=tuple(name for name in names if not _is_of_test(name)),
            bars=tuple(name for name in names if _is_of_test(name)),
            pictures=tuple(name for name, kind in pictures.items() if kind == title),
            tables=keys.tables if title == TEXTS else (),
        )
        if section != Section(title):
            sections.append(section)
    return sections


def _kind(name: str, otherwise: str) -> str:
    word = name.rpartition("/")[2]
    if word in EXPOSURE_NAMES or "free_running" in word:
        return EXPOSURE
    return ATTENTION if word.startswith(ATTENTION_NAMES) else otherwise


def _by_stage(name: str) -> str:
    return TEST if _is_of_test(name) else VALIDATION if name.startswith("val/") else TRAINING


def _is_of_test(name: str) -> bool:
    return name.startswith("test/")
