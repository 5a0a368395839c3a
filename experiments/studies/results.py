"""``results.csv``: a row for each run of a study, whole on the disk after each."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from datamodules.errors import UserError
from experiments.storage.durable import durable_write

if TYPE_CHECKING:  # rows are read where nothing is installed that plans a study
    from experiments.studies.plan import Key, PlannedRun

FILE_NAME = "results.csv"

LOCKS = "locks"
"""Where each run has a file that is locked while a process runs it, beside the results."""

STARTED, FINISHED, FAILED = "started", "finished", "failed"
"""The states of a run. What was started and is not finished was interrupted, or is under way."""

COLUMNS = (
    "panel",
    "variant",
    "seed",
    "status",
    "error",
    "started",
    "updates",
    "parameters",
    "data_order",
    "seconds",
    "run",
    "commit",
    "configs",
    "init_from",
    "command",
    "test_command",
)
"""The columns of every study; those of its metrics follow."""

Row = dict[str, str]


class Results:
    """The rows of a study's runs, by panel, variant and seed. Threads, processes and hosts may share the file.

    Args:
        path: The file; it need not exist.

    Raises:
        UserError: The file is none of this kind.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._rows: dict[Key, Row] = {}
        self.refresh()

    def refresh(self) -> None:
        """Reads what other processes wrote."""
        with self._lock:
            self._rows = _read(self.path)

    @contextmanager
    def held(self, planned: PlannedRun) -> Iterator[bool]:
        """Holds a run for this process, with its row as it is now; the operating system lets go when the process ends.

        Args:
            planned: The run.

        Yields:
            False where another process holds it.
        """
        locks = self.path.parent / LOCKS
        locks.mkdir(exist_ok=True)
        lock = FileLock(locks / f"{planned.parent.name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
        try:
            self.refresh()
            yield True
        finally:
            lock.release()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps other processes from writing about the whole study, for a moment."""
        with FileLock(self.path.parent / ".lock"):
            yield

    def get(self, key: Key) -> Row | None:
        """The row of a run; None where it has none."""
        return self._rows.get(key)

    def rows(self) -> list[Row]:
        """The rows of all runs, in the order of the file."""
        return list(self._rows.values())

    def put(self, key: Key, row: Row) -> None:
        """Adds the row of a run, or replaces it, and writes the file.

        Raises:
            RunFailed: The file cannot be written, for example on a full disk.
        """
        panel, variant, seed = key
        with self._lock, FileLock(self.path.with_name(f".{self.path.name}.lock")):
            self._rows = _read(self.path)
            self._rows[key] = {"panel": panel, "variant": variant, "seed": str(seed), **row}
            self._write()

    def finished(self, planned: PlannedRun) -> Row | None:
        """The row of a run that is finished as planned: the same command, configs and metrics; else None.

        Args:
            planned: The run.
        """
        row = self.get(planned.key)
        if row is None or row["status"] != FINISHED or not same_run(row, planned):
            return None
        return row if all(row.get(column) for column in planned.columns) else None

    def ended(self, planned: PlannedRun) -> bool:
        """Whether a run is finished as planned, or failed so.

        Args:
            planned: The run.
        """
        row = self.get(planned.key)
        failed = row is not None and row["status"] == FAILED and same_run(row, planned)
        return failed or self.finished(planned) is not None

    def _write(self) -> None:
        metrics = dict.fromkeys(name for row in self._rows.values() for name in row if name not in COLUMNS)
        table = io.StringIO(newline="")
        writer = csv.DictWriter(table, [*COLUMNS, *metrics], restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows.values())
        with durable_write(self.path) as file:
            file.write(table.getvalue().encode())


def same_run(row: Row, planned: PlannedRun) -> bool:
    """Whether a row is of the run that is planned, and not of one with another command or other configs."""
    return row["command"] == planned.command_from(row["init_from"]) and row["configs"] == planned.configs


def rows_of(runs: Sequence[PlannedRun], results: Results) -> dict[Key, Row]:
    """The rows of those runs that are finished as planned, and compared.

    Args:
        runs: The study's; those of starts are left out.
        results: Its rows.
    """
    rows = {planned.key: results.finished(planned) for planned in runs if planned.metrics}
    return {key: row for key, row in rows.items() if row is not None}


def _read(path: Path) -> dict[Key, Row]:
    """The rows of a file; none where there is no file."""
    if not path.exists():
        return {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return {(row["panel"], row["variant"], int(row["seed"])): _cells(row) for row in rows}
    except (OSError, UnicodeDecodeError, KeyError, ValueError, csv.Error) as error:
        raise UserError(f"{path} is not the results of a study: move it away, and the study starts anew") from error


def _cells(row: Row) -> Row:
    """A row without the empty cells of metrics that it does not have."""
    own = {"init_from": ""} | {name: row[name] for name in COLUMNS if name in row}  # that column is a later one
    return own | {name: cell for name, cell in row.items() if name not in COLUMNS and cell}
