"""``metrics.csv`` of a run, as tests read it."""

from __future__ import annotations

import csv
from pathlib import Path


def rows(run: Path, metric: str) -> list[dict[str, str]]:
    """The rows that have a metric."""
    with (run / "metrics.csv").open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row.get(metric)]


def values(run: Path, metric: str) -> list[float]:
    """Values of a metric, in the order of the file."""
    return [float(row[metric]) for row in rows(run, metric)]
