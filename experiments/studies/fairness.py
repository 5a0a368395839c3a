"""Whether a comparison was fair: read off the runs, not assumed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from experiments.studies.measure import read_record
from experiments.studies.plan import Key
from experiments.studies.results import Row
from experiments.studies.study import Study, panels_of

DIGITS = 12
"""Hexadecimal digits of a hash that are told."""

WARNING = "WARNING"
"""How the line begins that tells of a comparison that was not fair."""

UPDATES = "the same number of updates"
TIME = "the same time of training, trainer.max_time"
DATA = "the same batches in the same order"
MEASURED = "the same validation and test data"
START = "equal initial values in every parameter that they share by name and shape"


def fairness_lines(study: Study, rows: Mapping[Key, Row]) -> list[str]:
    """What the variants of a panel had in common at each seed, and a warning for each thing that they had not.

    Args:
        study: The study.
        rows: The result rows of its finished runs.

    Returns:
        Lines; those of warnings begin with :data:`WARNING`.
    """
    records = {key: read_record(Path(row["run"])) for key, row in rows.items()}
    starts: dict[Key, Mapping[str, str]] = {
        key: record.get("initial_parameters", {}) for key, record in records.items()
    }
    timed = {key: row for key, row in rows.items() if panels_of(study)[key[0]].equal == "time"}
    counted = {key: row for key, row in rows.items() if key not in timed}
    checks = {UPDATES: list(_unequal(counted, "updates"))} if counted else {}
    if timed:
        checks[TIME] = []
    for group in _by_start(study, rows):
        checks.setdefault(START, []).extend(_unequal_starts({key: starts[key] for key in group}))
        if study.same_data:
            checks.setdefault(DATA, []).extend(_unequal(group, "data_order"))
    if study.same_data and (measured := _measured_on(records)):
        checks[MEASURED] = list(_unequal(measured, MEASURED))
    held = [what for what, failures in checks.items() if not failures]
    warnings = [f"{WARNING}: not {what}: {failure}" for what, failures in checks.items() for failure in failures]
    if held:
        return [f"Checked in the runs, at each seed: {'; '.join(held)}.", *warnings]
    return warnings


def _by_start(study: Study, rows: Mapping[Key, Row]) -> list[dict[Key, Row]]:
    """The rows in groups that begin alike: with weights of their own, or with those of one start of their panel."""
    panels = panels_of(study)
    groups: defaultdict[str, dict[Key, Row]] = defaultdict(dict)
    for key, row in rows.items():
        panel, variant, _ = key
        groups[panels[panel].variants[variant].init_from][key] = row
    return list(groups.values())


def _by_seed(runs: Iterable[Key]) -> Iterator[tuple[str, dict[str, Key]]]:
    """The runs that are compared with each other: a title, and the variants' keys."""
    groups: defaultdict[tuple[str, int], dict[str, Key]] = defaultdict(dict)
    for panel, variant, seed in runs:
        groups[panel, seed][variant] = (panel, variant, seed)
    for (panel, seed), keys in groups.items():
        yield " ".join(word for word in (panel, f"seed {seed}") if word), keys


def _unequal(rows: Mapping[Key, Row], column: str) -> Iterator[str]:
    """For each seed at which a column is not the same for all variants, or not known, what each has."""
    for title, keys in _by_seed(rows):
        cells = {variant: rows[key][column] or "unknown" for variant, key in keys.items()}
        if len(set(cells.values())) > 1 or "unknown" in cells.values():
            yield f"{title}: {', '.join(f'{variant} {cell}' for variant, cell in cells.items())}"


def _unequal_starts(starts: Mapping[Key, Mapping[str, str]]) -> Iterator[str]:
    """For each seed, the parameters that two variants share by name and shape and that began with other values."""
    for title, keys in _by_seed(starts):
        unknown = [variant for variant, key in keys.items() if not starts[key]]
        if unknown:
            yield f"{title}: unknown for {', '.join(unknown)}, the directory of the run is gone"
        seen: dict[tuple[str, str], tuple[str, str]] = {}
        for variant, key in keys.items():
            for name, told in starts[key].items():
                shape, _, values = told.partition(":")
                first, expected = seen.setdefault((name, shape), (variant, values))
                if values != expected:
                    yield f"{title}: {name} of {first} and {variant}"


def _measured_on(records: Mapping[Key, Mapping[str, Any]]) -> dict[Key, Row]:
    """The beginning of the hash of each split that runs were measured on, for those runs whose records tell it."""
    contents = {key: record.get("data", {}) for key, record in records.items()}
    return {
        key: {MEASURED: ", ".join(f"{split} {told[split][:DIGITS]}" for split in ("val", "test") if split in told)}
        for key, told in contents.items()
        if "val" in told or "test" in told
    }
