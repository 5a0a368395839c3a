"""What else a machine did while something was measured on it: a number that others had a part in is no result."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import NamedTuple

PROC = Path("/proc")


@dataclass(frozen=True)
class Disturbance:
    """What was going on beside a measurement.

    Attributes:
        own: Share of the machine's processor time that the measurement had.
        others: The share that other processes and other virtual machines had.
        steal: The part of it that was other virtual machines'.
        megahertz: Mean frequency of the processors at its end; None where the system does not tell it.
    """

    own: float
    others: float
    steal: float
    megahertz: float | None


class MachineWatch:
    """Reads the processor time of the machine, and of this process with all that it started, from one moment on.

    What is counted as one's own are this process, its living descendants, and those that were waited for.

    Args:
        proc: Where the system tells of its processes.
    """

    def __init__(self, proc: Path = PROC) -> None:
        self._root = proc
        self._begin = _times(proc)

    @staticmethod
    def available(proc: Path = PROC) -> bool:
        """Whether this system tells what is needed, as Linux does."""
        return (proc / "stat").is_file() and (proc / str(os.getpid()) / "stat").is_file()

    def end(self) -> Disturbance:
        """What others had since the watch began."""
        now = _times(self._root)
        passed = _Times(*(after - before for before, after in zip(self._begin, now, strict=True)))
        others, total = max(0.0, passed.busy - passed.own) + passed.steal, max(1.0, passed.all)
        return Disturbance(passed.own / total, others / total, passed.steal / total, _megahertz(self._root))


class _Times(NamedTuple):
    """Clock ticks: of all processors together, of those that were busy, of others' machines, and one's own."""

    all: float
    busy: float
    steal: float
    own: float


def _times(proc: Path) -> _Times:
    user, nice, system, idle, waiting, irq, softirq, steal = map(
        float, (proc / "stat").read_text().splitlines()[0].split()[1:9]
    )
    busy = user + nice + system + irq + softirq
    return _Times(busy + idle + waiting + steal, busy, steal, _own_ticks(proc))


def _own_ticks(proc: Path) -> float:
    """Of this process and its living descendants, each with those that it waited for."""
    parents, ticks = dict[int, int](), dict[int, float]()
    for process in proc.glob("[0-9]*"):
        try:
            fields = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        number = int(process.name)
        parents[number], ticks[number] = int(fields[1]), sum(map(float, fields[11:15]))
    own = {os.getpid()}
    while found := {child for child, parent in parents.items() if parent in own and child not in own}:
        own |= found
    return sum(ticks.get(number, 0.0) for number in own)


def _megahertz(proc: Path) -> float | None:
    try:
        told = re.findall(r"^cpu MHz\s*:\s*([\d.]+)", (proc / "cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        return None
    return mean(map(float, told)) if told else None
