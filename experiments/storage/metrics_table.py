"""``metrics.csv``: the one reader of what a run logged."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

FIRST_COLUMNS = ("step", "epoch", "time")


class Logged(NamedTuple):
    """One value of a metric.

    Attributes:
        step: The optimizer step, counted from 0.
        time: When it was logged, in seconds since 1970; NaN where the table does not say.
        value: The metric.
    """

    step: int
    time: float
    value: float


def read_rows(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """The columns and the whole rows: the end of one that a kill tore off is left out.

    Args:
        path: The file.

    Raises:
        OSError: It cannot be read.
    """
    text = path.read_text(encoding="utf-8")
    reader = csv.DictReader(text[: text.rfind("\n") + 1].splitlines(keepends=True))
    rows = list(reader)
    return list(reader.fieldnames or FIRST_COLUMNS), rows


def read_metrics(path: Path) -> dict[str, list[Logged]]:
    """What was logged of each metric, in the order of the file: an evaluation of an older checkpoint stands at the end.

    Args:
        path: The file.

    Raises:
        OSError: It cannot be read.
    """
    logged: dict[str, list[Logged]] = {}
    for row in read_rows(path)[1]:
        step, time = int(row["step"] or 0), float(row.get("time") or "nan")
        for name, value in row.items():
            if value and name not in FIRST_COLUMNS:
                logged.setdefault(name, []).append(Logged(step, time, float(value)))
    return logged
