"""TensorBoard, in a run's directory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from experiments.loggers.packages import check_package

DIRECTORY = "tensorboard"
"""In the run's directory."""


class RunTensorBoardLogger(TensorBoardLogger):
    """Writes metrics, pictures and tables for TensorBoard into ``tensorboard/`` of the run's directory.

    A resumed run takes back what was logged after its checkpoint: TensorBoard shows each step once. It needs the
    package tensorboard.

    Args:
        save_dir: The run's directory; none means the directory of the current run.

    Raises:
        UserError: The package is not installed.
    """

    def __init__(self, save_dir: str | None = None) -> None:
        check_package(type(self).__name__)
        super().__init__(save_dir or ".", name="", version=DIRECTORY, default_hp_metric=False)

    @rank_zero_only
    def log_picture(self, key: str, path: Path, step: int) -> None:
        """Logs a picture file at the step of the metrics that were logged with it, which is one before."""
        from matplotlib.image import imread

        self.experiment.add_image(key, imread(path), max(step - 1, 0), dataformats="HWC")

    @rank_zero_only
    def log_rows(self, key: str, columns: Sequence[str], rows: Sequence[Sequence[str | float]], step: int) -> None:
        """Logs a table as text, likewise."""
        from tabulate import tabulate

        cells = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
        table = tabulate(cells, headers=list(columns), tablefmt="pipe", disable_numparse=True)
        self.experiment.add_text(key, table, max(step - 1, 0))

    @rank_zero_only
    def truncate(self, step: int, rows: int | None = None) -> None:
        """Takes back what was logged after a checkpoint that training now resumes from.

        Args:
            step: The number of optimizer steps in the checkpoint.
            rows: Without a meaning here.
        """
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog

        writer = self.experiment.file_writer
        assert writer is not None  # it is there until the run ends
        writer.add_event(Event(step=step, file_version="brain.Event:2"))
        writer.add_event(Event(step=step, session_log=SessionLog(status=SessionLog.START)))
