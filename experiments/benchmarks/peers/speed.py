"""What the toolkits tell about their speed, brought into one form."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median

from datamodules.errors import RunFailed, UserError
from experiments.benchmarks.peers.process import Finished
from experiments.benchmarks.peers.recipe import MIN_STEPS, WARM_UP_REPORTS


@dataclass(frozen=True)
class Report:
    """What a toolkit tells during training.

    Attributes:
        step: Updates so far.
        time: When it was told, in seconds from any moment.
        target_tokens_per_second: Since the last report.
    """

    step: int
    time: float
    target_tokens_per_second: float


@dataclass(frozen=True)
class TrainingSpeed:
    """How fast a toolkit trained.

    Attributes:
        target_tokens_per_second: The median of its reports; what it counts is in the docstring of its class.
        milliseconds_per_step: The median of the time between its reports, over their updates.
        peak_memory_mib: Peak memory of its process in MiB, start and end included.
    """

    target_tokens_per_second: float
    milliseconds_per_step: float
    peak_memory_mib: float


@dataclass(frozen=True)
class Translation:
    """What a toolkit translated, and how fast.

    Attributes:
        hypotheses: One for each line of the test source, as text.
        wall_seconds: Wall-clock time of the whole process.
        search_seconds: Without its start-up; how that is told is in the docstring of its class.
    """

    hypotheses: list[str]
    wall_seconds: float
    search_seconds: float


def check_steps(steps: int) -> None:
    """Refuses a training that would tell no speed.

    Args:
        steps: Its updates.

    Raises:
        UserError: They are too few.
    """
    if steps < MIN_STEPS:
        raise UserError(f"{steps} training steps tell no speed: give at least {MIN_STEPS}")


def training_speed(reports: Sequence[Report], peak_memory_mib: float) -> TrainingSpeed:
    """The speed after the first reports, which are of warming up.

    Args:
        reports: In order.
        peak_memory_mib: Is passed on.

    Raises:
        RunFailed: There are too few reports.
    """
    if len(reports) <= WARM_UP_REPORTS:
        raise RunFailed(f"of training there are {len(reports)} reports of speed in the log, too few to tell it")
    counted = list(pairwise(reports))[WARM_UP_REPORTS - 1 :]
    return TrainingSpeed(
        median(report.target_tokens_per_second for _, report in counted),
        median(1000 * (report.time - last.time) / (report.step - last.step) for last, report in counted),
        peak_memory_mib,
    )


def told_reports(pattern: re.Pattern[str], log: str, seconds: Callable[[str], float] = float) -> list[Report]:
    """What a toolkit told about its speed during training, in order.

    Args:
        pattern: Matches each report, with the groups ``step``, ``time`` and ``speed``; numbers may have commas.
        log: What it wrote.
        seconds: Reads a time.
    """
    return [
        Report(int(told["step"].replace(",", "")), seconds(told["time"]), float(told["speed"].replace(",", "")))
        for told in pattern.finditer(log)
    ]


def search_seconds(translation: Finished, pattern: re.Pattern[str], title: str) -> float:
    """What a system told about the time of its search, in seconds.

    Args:
        translation: What its process left.
        pattern: Matches the line that tells it, with the seconds as its first group.
        title: Title of the system, for the message.

    Raises:
        RunFailed: It told nothing, neither in its log nor in its output.
    """
    found = pattern.search(translation.log) or pattern.search(translation.output)
    if found is None:
        raise RunFailed(f"{title} told no time of its search")
    return float(found[1])


def log_time(stamp: str) -> float:
    """The seconds of a time stamp of a log: ``2026-01-31 12:30:59,123``, or without milliseconds."""
    return datetime.fromisoformat(stamp).timestamp()
