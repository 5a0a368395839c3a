"""What a finished run leaves, and how it differs from another's."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

TIMING = ("time", "train/tokens_per_second")
"""Columns of ``metrics.csv`` that no two runs have in common."""


@dataclass(frozen=True)
class Outcome:
    """What counts of a finished run.

    Attributes:
        checkpoints: By name, what each holds of weights, optimizer and position; nothing of where it lies.
        rows: The rows of ``metrics.csv``, without columns of time.
        translations: The text of ``translations.md``.
    """

    checkpoints: dict[str, Any]
    rows: list[dict[str, str]]
    translations: str

    @classmethod
    def of(cls, run: Path) -> Outcome:
        """Reads a run's directory."""
        checkpoints = {}
        for path in sorted((run / "checkpoints").glob("*.ckpt")):
            content = torch.load(path, weights_only=True)
            names = {"state_dict", "optimizer_states", "lr_schedulers", "epoch", "global_step"}
            checkpoints[path.name] = {name: content[name] for name in names & content.keys()}
        with (run / "metrics.csv").open(encoding="utf-8", newline="") as file:
            rows = [{name: cell for name, cell in row.items() if name not in TIMING} for row in csv.DictReader(file)]
        return cls(checkpoints, rows, (run / "translations.md").read_text(encoding="utf-8"))

    def differences(self, other: Outcome) -> list[str]:
        """What another has that this has not, or has otherwise, a line for each; none where both are the same.

        Args:
            other: The outcome of the run that was killed.
        """
        return [
            *self._of_checkpoints(other),
            *self._of_rows(other),
            *(["translations.md differs"] if self.translations != other.translations else []),
        ]

    def _of_checkpoints(self, other: Outcome) -> Iterator[str]:
        if self.checkpoints.keys() != other.checkpoints.keys():
            yield f"checkpoints are {', '.join(other.checkpoints)}, not {', '.join(self.checkpoints)}"
        for name in self.checkpoints.keys() & other.checkpoints.keys():
            ours, theirs = self.checkpoints[name], other.checkpoints[name]
            if ours["global_step"] != theirs["global_step"]:
                yield f"{name} is of step {theirs['global_step']}, not {ours['global_step']}"
            else:
                yield from (f"{name}: {part} differs" for part in ours if not _same(ours[part], theirs.get(part)))

    def _of_rows(self, other: Outcome) -> Iterator[str]:
        if self.rows == other.rows:
            return
        ours, theirs = ([tuple(row.items()) for row in rows] for rows in (self.rows, other.rows))
        missing = [row for row in ours if row not in theirs]
        added = [row for row in theirs if row not in ours]
        yield (
            f"metrics.csv has {len(theirs)} rows, not {len(ours)}: {len(missing)} missing, {len(added)} others"
            + (f", the first missing {_told(missing[0])}" if missing else "")
            + (f", the first other {_told(added[0])}" if added else "")
        )


def _same(ours: Any, theirs: Any) -> bool:  # noqa: ANN401 - parts of a checkpoint
    if isinstance(ours, Tensor):
        return isinstance(theirs, Tensor) and torch.equal(ours, theirs)
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(_same(value, theirs[key]) for key, value in ours.items())
    if isinstance(ours, list | tuple):
        return len(ours) == len(theirs) and all(map(_same, ours, theirs))
    return bool(ours == theirs)


def _told(row: tuple[tuple[str, str], ...]) -> str:
    return " ".join(f"{name}={cell[:9]}" for name, cell in row if cell)
