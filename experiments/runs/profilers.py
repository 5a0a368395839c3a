"""Lightning's profilers, whose reports are files of a run; what was dearest is printed."""

from __future__ import annotations

import pstats
import re
from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import lightning as L
from jsonargparse import Namespace
from lightning.pytorch.profilers import AdvancedProfiler, Profiler, PyTorchProfiler, SimpleProfiler, XLAProfiler
from lightning.pytorch.utilities import rank_zero_only
from tabulate import tabulate

from datamodules.errors import UserError, suggest
from experiments.config.class_paths import resolve
from experiments.config.known_classes import subclasses

REPORT = "profile"
"""The name of a report, after the stage: ``fit-profile.txt``; of several processes each has its own, with its rank."""

MOST_SHOWN = 10

LONGEST_NAME = 72
"""Characters of a name that are shown; of a longer one the middle is left out."""


class Cost(NamedTuple):
    """What something took.

    Attributes:
        name: An action of Lightning's, a function or an operation.
        calls: How often.
        seconds: In all of them together.
    """

    name: str
    calls: int
    seconds: float


class DearestShown(Profiler):
    """Prints the dearest of what was measured when the report is made."""

    measured: str
    """What the costs are of, in words."""

    _reported_stage: str | None = None

    @abstractmethod
    def costs(self) -> Iterable[Cost]:
        """What was measured, in any order."""

    def summary(self) -> str:
        """The report, after the dearest were printed."""
        self._reported_stage = self._stage
        text = super().summary()
        _print_dearest(self.costs(), self.measured)
        return text

    def report_once(self) -> None:
        """Makes the report unless it was made: of a training that was ended or failed, Lightning makes none."""
        if self._stage is not None and self._reported_stage is None:
            self.describe()

    def _prepare_filename(self, action_name: str | None = None, extension: str = ".txt") -> str:
        """Lightning's, without the brackets, which a shell takes for a pattern."""
        return re.sub(r"[^\w.-]+", "_", super()._prepare_filename(action_name, extension))


class RunSimpleProfiler(DearestShown, SimpleProfiler):
    """``--trainer.profiler simple``: how long Lightning's actions took, those within others counted in both."""

    measured = "actions (those within others are counted in both)"

    def costs(self) -> Iterable[Cost]:
        """The cost of each action of Lightning's."""
        return [Cost(name, len(each), sum(each)) for name, each in self.recorded_durations.items()]


class RunAdvancedProfiler(DearestShown, AdvancedProfiler):
    """``--trainer.profiler advanced``: how long Python's functions took, within each of Lightning's actions."""

    measured = "functions (without what they call)"

    def costs(self) -> Iterable[Cost]:
        """The cost of each Python function."""
        if not self.profiled_actions:
            return []
        first, *others = self.profiled_actions.values()
        profile: dict[Any, tuple[int, int, float, float, object]] = pstats.Stats(first, *others).strip_dirs().stats  # type: ignore[attr-defined]  # no stub
        return [Cost(pstats.func_std_string(key), calls, own) for key, (_, calls, own, *_) in profile.items()]  # type: ignore[attr-defined]  # no stub


class RunPyTorchProfiler(DearestShown, PyTorchProfiler):
    """``--trainer.profiler pytorch``: how long torch's operations took in some steps, on the GPU where there is one."""

    measured = "operations (without what they call)"

    def costs(self) -> Iterable[Cost]:
        """The cost of each operation of torch's."""
        if self.function_events is None:
            return []
        averages = [event for event in self.function_events.key_averages() if not event.is_user_annotation]
        on_device = any(event.self_device_time_total for event in averages)
        times = (event.self_device_time_total if on_device else event.self_cpu_time_total for event in averages)
        return [Cost(event.key, event.count, time / 1e6) for event, time in zip(averages, times, strict=True)]


_BY_NAME: dict[str, type[Profiler]] = {
    "simple": SimpleProfiler,
    "advanced": AdvancedProfiler,
    "pytorch": PyTorchProfiler,
    "xla": XLAProfiler,
}
"""Lightning's short names."""

_SHOWN: dict[type, type[Profiler]] = {
    SimpleProfiler: RunSimpleProfiler,
    AdvancedProfiler: RunAdvancedProfiler,
    PyTorchProfiler: RunPyTorchProfiler,
}


def with_dearest(profiler: str | Namespace | None) -> str | Namespace | None:
    """A profiler of a config, those of Lightning's in the forms of this module.

    Args:
        profiler: A short name, or a class path with its arguments; another class than Lightning's is left as it is.

    Returns:
        With ``dirpath`` and ``filename`` among its arguments, empty where they were not given.

    Raises:
        UserError: There is no profiler of that name.
    """
    if profiler is None:
        return None
    if isinstance(profiler, str):
        if profiler.lower() not in _BY_NAME:
            known = [*_BY_NAME, *subclasses([Profiler])]
            raise UserError(f"trainer.profiler is {profiler!r}: {suggest(profiler, known)}")
        kind = _BY_NAME[profiler.lower()]
        chosen = Namespace(class_path="", init_args=Namespace(dirpath=None, filename=None))
    else:
        kind, chosen = resolve(profiler.class_path), profiler.clone()
    if kind not in _SHOWN:
        return profiler
    chosen.class_path = f"{__name__}.{_SHOWN[kind].__name__}"
    return chosen


def finished_report(trainer: L.Trainer) -> Path | None:
    """The file of a trainer's profiler, in this process, after its work was done or ended early.

    Args:
        trainer: Whose profiler may be any.

    Returns:
        None where it writes no file, or nothing was measured.
    """
    profiler: Profiler = trainer.profiler  # type: ignore[attr-defined]  # a connector sets it
    if isinstance(profiler, DearestShown):
        profiler.report_once()
    if not profiler.filename or not profiler.dirpath:
        return None
    path = Path(profiler.dirpath) / profiler._prepare_filename()
    return path if path.is_file() else None


@rank_zero_only
def _print_dearest(costs: Iterable[Cost], measured: str) -> None:
    found = sorted(costs, key=lambda cost: cost.seconds, reverse=True)
    if not found:
        return
    rows = [(_shortened(cost.name), f"{cost.calls:,}", f"{cost.seconds:.3f}") for cost in found[:MOST_SHOWN]]
    names = (f"the dearest of {len(found):,} {measured}", "calls", "seconds")
    print(f"\n{tabulate(rows, names, colalign=('left', 'right', 'right'), disable_numparse=True)}")


def _shortened(name: str) -> str:
    if len(name) <= LONGEST_NAME:
        return name
    half = LONGEST_NAME // 2
    return f"{name[: half - 1]}\N{HORIZONTAL ELLIPSIS}{name[-half:]}"
