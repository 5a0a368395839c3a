"""What a trained model needs of a series to predict what comes after its end, kept with its weights as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np

from datamodules.errors import UserError
from datamodules.series.layout import SeriesLayout
from datamodules.series.scaling import Scaling
from datamodules.series.table import SeriesTable, TableForm, read_table


@dataclass(frozen=True)
class SeriesFormat:
    """How a series is written, and what models read of it.

    Attributes:
        layout: Which columns are predicted, which only read.
        form: How its file is written.
        scaling: Mean and deviation of the columns.
        window: Steps that are read.
        horizon: Steps that are predicted.
    """

    layout: SeriesLayout
    form: TableForm
    scaling: Scaling
    window: int
    horizon: int

    def state(self) -> dict[str, Any]:
        """Plain values, for a checkpoint."""
        form = {**asdict(self.form), "step": self.form.step.total_seconds()}
        steps = {"window": self.window, "horizon": self.horizon}
        return {"layout": asdict(self.layout), "form": form, "scaling": self.scaling.state(), **steps}

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> SeriesFormat:
        """The format that :meth:`state` gave.

        Raises:
            UserError: The state is damaged; the message begins with a verb.
        """
        try:
            form = {**state["form"], "step": timedelta(seconds=state["form"]["step"])}
            steps = int(state["window"]), int(state["horizon"])
            return cls(SeriesLayout(**state["layout"]), TableForm(**form), Scaling.of_state(state["scaling"]), *steps)
        except (KeyError, TypeError, ValueError) as error:
            raise UserError("does not say how its series is written: give one that 'seqlab fit' wrote") from error

    def vectors_ahead(self, file: str, future: str | None = None) -> AheadVectors:
        """Reads a series, and what models read of its end and of the steps after it.

        Args:
            file: The series, as the training's was written.
            future: A file of the columns that are known ahead, with these steps; needed where there are such columns.

        Raises:
            UserError: A file cannot be read, has too few rows, or a column has no value in the last rows.
        """
        table, window, horizon = read_table(file, self.layout.names, self.form), self.window, self.horizon
        if len(table) < window:
            raise UserError(f"{table.place} has {len(table)} rows, but the model reads {window}: give a longer series")
        self.layout.check_known(table)
        last = replace(table, values=table.values[-window:], start=table.time(len(table) - window))
        if nothing := [n for n in self.layout.columns if np.isnan(last.columns([n])).all()]:
            raise UserError(
                f"{table.place}: {nothing[0]} has no value in the last {window} rows, so that nothing says what comes: "
                "give a series that ends with some"
            )
        after = np.full((horizon, len(self.layout.names)), np.nan)
        if self.layout.known:
            after[:, len(after[0]) - len(self.layout.known) :] = self._known(table, horizon, future)
        whole = replace(last, values=np.concatenate([last.values, after]))
        return AheadVectors(self.layout.vectors(whole, self.scaling), whole, window)

    def _known(self, table: SeriesTable, horizon: int, future: str | None) -> np.ndarray:
        """What is known ahead of the steps after a table's end, ``(horizon, known)``."""
        names, begin = self.layout.known, table.time(len(table))
        told = f"{horizon} rows from {begin} on, with {', '.join(names)}"
        if future is None:
            raise UserError(f"the model reads what is known ahead: give --future, a CSV file of {told}")
        ahead = read_table(future, names, self.form)
        steps = ahead.steps_to(begin)
        first = int(steps)
        if first != steps or first < 0 or first + horizon > len(ahead):
            raise UserError(f"{ahead.place} goes from {ahead.start} to {ahead.time(len(ahead) - 1)}: give {told}")
        values = ahead.values[first : first + horizon]
        if np.isnan(values).any():
            raise UserError(f"{ahead.place} misses a value of what is known ahead: give {told}, none of them missing")
        return values


@dataclass(frozen=True)
class AheadVectors:
    """The end of a series and the steps after it.

    Attributes:
        values: ``(window + horizon, size)``, float32, as models read them.
        table: The same rows; after the end only what is known ahead.
        window: How many rows are before the end.
    """

    values: np.ndarray
    table: SeriesTable
    window: int
