"""MLflow, with one run of its own for each run, through all resumes."""

from __future__ import annotations

import csv
import io
import os
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import MLFlowLogger
from lightning.pytorch.utilities import rank_zero_only

from experiments.loggers.packages import check_package
from experiments.storage.durable import durable_write

RUN_ID_FILE = Path("mlflow") / "run-id.txt"
"""In the run's directory, so that a resumed run is the same run in MLflow."""

STORE = "sqlite:///mlflow.db"
"""Where runs are kept unless somebody says otherwise, as in MLflow itself: a file in the working directory."""


class RunMLFlowLogger(MLFlowLogger):
    """Logs metrics, options, pictures and tables to MLflow.

    A resumed run is the same run in MLflow; what was logged after its checkpoint is there twice, for MLflow takes
    nothing back. It needs the package mlflow, or mlflow-skinny.

    Args:
        save_dir: The run's directory; none means the directory of the current run.
        experiment_name: The experiment in MLflow.
        run_name: The run's name in MLflow; none takes the last two levels of the run's directory.
        tracking_uri: Where runs are kept: a server or a database. None takes the variable MLFLOW_TRACKING_URI, else
            ``mlflow.db`` in the working directory.

    Raises:
        UserError: The package is not installed.
    """

    def __init__(
        self,
        save_dir: str | None = None,
        experiment_name: str = "seqlab",
        run_name: str | None = None,
        tracking_uri: str | None = None,
    ) -> None:
        check_package(type(self).__name__)
        directory = Path(save_dir or ".")
        self._id_file = directory / RUN_ID_FILE
        self._goes_on = self._id_file.is_file()
        super().__init__(
            experiment_name=experiment_name,
            run_name=run_name or "/".join(directory.absolute().parts[-2:]),
            tracking_uri=tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or STORE,
            run_id=self._id_file.read_text(encoding="utf-8").strip() if self._goes_on else None,
        )

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Logs values by name at an optimizer step."""
        self._begun()
        super().log_metrics(metrics, step)

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace) -> None:
        """Adds to the run's parameters; those that it has keep their values, for MLflow changes none."""
        run_id = self._begun()
        known = self.experiment.get_run(run_id).data.params
        given = vars(params) if isinstance(params, Namespace) else params
        super().log_hyperparams({name: value for name, value in _flat(given) if name not in known})

    @rank_zero_only
    def log_picture(self, key: str, path: Path, step: int) -> None:
        """Logs a picture file at an optimizer step."""
        self.experiment.log_artifact(self._begun(), str(path), str(Path(key).parent))

    @rank_zero_only
    def log_rows(self, key: str, columns: Sequence[str], rows: Sequence[Sequence[str | float]], step: int) -> None:
        """Logs a table at an optimizer step, as a CSV file."""
        table = io.StringIO(newline="")
        csv.writer(table, lineterminator="\n").writerows([columns, *rows])
        self.experiment.log_text(self._begun(), table.getvalue(), f"{key}-step{step:06d}.csv")

    def _begun(self) -> str:
        """The id of the run, which is made, or goes on, when it is first asked for."""
        run_id = self.run_id
        assert run_id is not None
        if self._goes_on:
            self.experiment.update_run(run_id, status="RUNNING")
            self._goes_on = False
        elif not self._id_file.is_file():
            self._id_file.parent.mkdir(parents=True, exist_ok=True)
            with durable_write(self._id_file) as file:
                file.write(f"{run_id}\n".encode())
        return run_id


def _flat(params: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Nested options, each by its path."""
    for name, value in params.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{above}{name}/")
        else:
            yield f"{above}{name}", value
