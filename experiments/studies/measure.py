"""What a run's directory says of the run."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from datamodules.errors import RunFailed, UserError, suggest
from experiments.storage.layout import CHECKPOINTS, LAST_CHECKPOINT, METRICS, RECORD
from experiments.storage.metrics_table import Logged, read_metrics
from experiments.studies.plan import PlannedRun
from experiments.studies.study import FIT_STAGES, Metric


def run_since(started: str, parent: Path) -> Path | None:
    """The run directory of an experiment in which a training began last; None where none did since a given time.

    Args:
        started: The time, as ISO 8601 writes it.
        parent: The experiment's directory.
    """
    since = datetime.fromisoformat(started).timestamp()
    begun = {record.stat().st_mtime: record.parent for record in parent.glob(f"*/{RECORD}")}
    last = max(begun, default=-math.inf)
    return begun[last] if last >= since else None


def last_checkpoint(run: Path | None) -> Path | None:
    """What a run resumes from; None where it left nothing, or there is none.

    Args:
        run: Its directory.
    """
    last = run / CHECKPOINTS / LAST_CHECKPOINT if run else None
    return last if last and last.is_file() else None


def logged_value(metric: Metric, run: Path) -> float:
    """A metric of a run, one that has no axis.

    Args:
        metric: The metric.
        run: The run's directory.

    Raises:
        UserError: It was not logged.
        RunFailed: It is no finite number.
    """
    return _value(metric, metric.name, _read(run / METRICS), run)


def measured(planned: PlannedRun, run: Path) -> dict[str, str]:
    """The cells of a finished run: what its study compares, and by what it is seen to be a fair comparison.

    Args:
        planned: The run as planned.
        run: Its directory.

    Raises:
        UserError: A metric was not logged, or nothing was.
        RunFailed: A metric is no finite number.
    """
    record = read_record(run)
    logged = _read(run / METRICS)
    updates = 1 + max(
        (step for name in logged if name.startswith(FIT_STAGES) for step, _, _ in logged[name]), default=-1
    )
    cells = {
        "updates": str(updates),
        "parameters": str(record.get("parameters", "")),
        "data_order": _data_order(record),
        "commit": str(record.get("commit") or ""),
    }
    for metric in planned.metrics:
        for place in metric.places:
            cells[metric.column(place)] = repr(_value(metric, metric.logged(place), logged, run))
    return cells


def read_record(run: Path) -> Mapping[str, Any]:
    """What a run was made with; empty where its directory is gone."""
    path = run / RECORD
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return record


def _data_order(record: Mapping[str, Any]) -> str:
    """A hash of the training data and the order of its batches; empty where the order is not known."""
    if not record.get("data_order"):
        return ""
    told = json.dumps([record.get("data", {}).get("train"), record["data_order"]])
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def _read(metrics_csv: Path) -> dict[str, list[Logged]]:
    if not metrics_csv.is_file():
        raise UserError(f"{metrics_csv} is missing: a study needs the logger MetricsCSV")
    return read_metrics(metrics_csv)


def _value(metric: Metric, name: str, logged: Mapping[str, list[Logged]], run: Path) -> float:
    values = [each.value for each in logged.get(name, [])]
    if not values:
        raise UserError(f"metric '{name}' is not in {run / METRICS}: {suggest(name, logged)}")
    if metric.take == "last":
        value = values[-1]
    elif metric.take == "best":
        value = max(values) if metric.better == "higher" else min(values)
    else:
        value = math.fsum(values) / len(values)
    if not math.isfinite(value):
        raise RunFailed(f"metric '{name}' is {value} in {run / METRICS}")
    return value
