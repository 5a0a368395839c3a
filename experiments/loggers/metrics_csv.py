"""The metrics of a run as one CSV file, which nothing but a disk is needed for."""

from __future__ import annotations

import csv
import io
import os
import time
from argparse import Namespace
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TextIO

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor

from datamodules.errors import RunFailed, UserError
from experiments.storage.durable import durable_write
from experiments.storage.layout import METRICS
from experiments.storage.metrics_table import FIRST_COLUMNS, read_rows


class MetricsCSV(Logger):
    """Writes every logged metric to ``metrics.csv`` in the run's directory.

    A row for each time that something was logged: ``step`` counts optimizer steps from 0, as Lightning does, ``time``
    is in seconds since 1970, and every metric has a column, empty where it was not logged. Each row is in the file as
    soon as it was logged, so that a killed process loses none. Rows are added to a file that is there already, and
    that another process may add to as well, as a test of a run that still trains.

    Args:
        save_dir: The run's directory; none means the directory of the current run.
    """

    def __init__(self, save_dir: str | None = None) -> None:
        super().__init__()
        self._save_dir = save_dir
        self._columns: list[str] = []  # those that the file begins with: others only add to them

    @property
    def name(self) -> str:
        """Empty: the run's directory has no level for the logger."""
        return ""

    @property
    def version(self) -> str:
        """Empty: the run's directory has no level for the logger."""
        return ""

    @property
    def save_dir(self) -> str | None:
        """The run's directory."""
        return self._save_dir

    @property
    def path(self) -> Path:
        """The file.

        Raises:
            UserError: No directory was given.
        """
        if self._save_dir is None:
            raise UserError("MetricsCSV has no directory to write to: set its save_dir")
        return Path(self._save_dir) / METRICS

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float | Tensor], step: int | None = None) -> None:
        """Adds a row.

        Args:
            metrics: Values by name.
            step: The optimizer step.

        Raises:
            RunFailed: The file cannot be written, for example on a full disk.
        """
        cells = {"step": "" if step is None else str(step), "time": f"{time.time():.3f}"}
        cells |= {name: str(value.item() if isinstance(value, Tensor) else value) for name, value in metrics.items()}
        if not self._columns:
            self._open()
        missing = [name for name in cells if name not in self._columns]
        if missing:
            columns, rows = read_rows(self.path)
            self._write(list(dict.fromkeys([*columns, *missing])), [*rows, cells])
        else:
            self._append(cells)

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Lightning's
        """Keeps nothing: the run's config.yaml has the hyper-parameters."""

    def synced_rows(self) -> int:
        """The number of rows in the file, those of other processes among them, which are on the disk from now on.

        A checkpoint that names it never outlives one of them, through a loss of power as well. It is 0 where this
        process has logged nothing.

        Raises:
            RunFailed: The disk is full.
        """
        if not self._columns:
            return 0
        try:
            with self.path.open("rb") as file:
                os.fsync(file.fileno())
                return sum(line.endswith(b"\n") for line in file) - 1  # the first has the columns
        except OSError as error:
            raise self._failed(error) from error

    @rank_zero_only
    def truncate(self, step: int, rows: int | None = None) -> None:
        """Removes what was logged after a checkpoint that training now resumes from, so that no row comes twice.

        Args:
            step: The number of optimizer steps in the checkpoint.
            rows: The number of rows when it was written; the others go. If it is not known, rows of that step and later
                ones go.

        Raises:
            RunFailed: The file cannot be written.
        """
        if not self.path.exists():
            return
        self._open()
        columns, all_rows = read_rows(self.path)
        kept = all_rows[:rows] if rows is not None else [row for row in all_rows if _is_before(row, step)]
        if len(kept) < len(all_rows):
            self._write(columns, kept)

    def _open(self) -> None:
        """Takes over the columns of a file from before, without the end of a row that a kill tore off."""
        self._columns = list(FIRST_COLUMNS)
        if not self.path.exists():
            self._write(self._columns, [])
            return
        is_torn = not self.path.read_bytes().endswith(b"\n")
        self._columns, rows = read_rows(self.path)
        if is_torn:
            self._write(self._columns, rows)

    def _append(self, cells: Mapping[str, str]) -> None:
        try:
            with self.path.open("a", encoding="utf-8", newline="") as file:
                self._writer(file, self._columns).writerow(cells)
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> RunFailed:
        return RunFailed(f"cannot write {self.path}: {error.strerror}; then resume with --ckpt_path last")

    def _write(self, columns: list[str], rows: Iterable[Mapping[str, str]]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        table = io.StringIO(newline="")
        writer = self._writer(table, columns)
        writer.writeheader()
        writer.writerows(rows)
        with durable_write(self.path) as file:
            file.write(table.getvalue().encode())
        self._columns = columns

    @staticmethod
    def _writer(file: TextIO, columns: list[str]) -> csv.DictWriter[str]:
        return csv.DictWriter(file, columns, restval="", lineterminator="\n")


def _is_before(row: Mapping[str, str], step: int) -> bool:
    return not row["step"] or int(row["step"]) < step
