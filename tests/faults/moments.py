"""When a training is killed: anywhere in its life, or aimed at what takes the shortest time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from experiments.storage.durable import PARTIAL_SUFFIX
from tests.faults.phase import told_phase
from tests.faults.victim import Victim


@dataclass
class Scene:
    """Where a training leaves traces from which can be seen what it does.

    Attributes:
        runs: Its ``--trainer.default_root_dir``.
        cache: Its cache.
        phase: The file in which :class:`tests.faults.phase.Phase` tells what it does.
    """

    runs: Path
    cache: Path
    phase: Path
    _old: set[Path] = field(default_factory=set)

    def clear(self) -> None:
        """Before a start: forgets what an earlier one told and left."""
        self.phase.unlink(missing_ok=True)
        self._old = set(self._partial_checkpoints())

    @property
    def run(self) -> Path | None:
        """The run's directory."""
        return max(self.runs.glob("killed/*"), key=lambda run: int(run.name), default=None)

    def writes_checkpoint(self) -> bool:
        """Whether a checkpoint is half written, by this process."""
        return any(path not in self._old for path in self._partial_checkpoints())

    def makes_cache(self) -> bool:
        """Whether an entry of the cache is half made."""
        return any(self.cache.glob("*.partial"))

    def last_checkpoint(self) -> int:
        """A number that changes whenever ``last.ckpt`` is replaced; 0 where there is none."""
        try:
            return (self.run or self.runs).joinpath("checkpoints", "last.ckpt").stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def told(self) -> str:
        """What is going on, in words."""
        if self.writes_checkpoint():
            return "a checkpoint half written"
        phase = told_phase(self.phase)
        if phase:
            return phase
        if self.makes_cache():
            return "the cache half made"
        return "setting up" if self.run else "starting"

    def _partial_checkpoints(self) -> list[Path]:
        return list(self.runs.glob(f"killed/*/checkpoints/.*{PARTIAL_SUFFIX}"))


Wait = Callable[[Victim], None]
"""Waits for the moment, or for the end of what is to be killed."""


def random_moment(generator: random.Random, scene: Scene, life: float, is_first: bool) -> Wait:
    """Draws when to kill.

    Args:
        generator: Draws the moment.
        scene: The scene of the training that is to be killed.
        life: Seconds that a whole training takes.
        is_first: Whether it is the first start of this training, which makes the cache.
    """
    count = generator.randint(1, 4)
    if is_first and generator.random() < 0.3:
        return _when(scene.makes_cache, 1, generator.uniform(0.0, 0.02))
    aimed: list[Wait] = [
        _when(scene.writes_checkpoint, count, generator.uniform(0.0, 0.003)),
        _whenever_new(scene.last_checkpoint, count, generator.uniform(0.0, 0.002)),
        _when(lambda: told_phase(scene.phase) == "in validation", count, generator.uniform(0.0, 0.02)),
        _when(lambda: told_phase(scene.phase) == "in a step", 3 * count, generator.uniform(0.0, 0.01)),
        _when(lambda: told_phase(scene.phase) == "between epochs", min(2, count), generator.uniform(0.0, 0.003)),
    ]
    anywhere = _after(generator.uniform(0.0, life))
    return generator.choice([*aimed, anywhere, anywhere])


def _after(seconds: float) -> Wait:
    def wait(victim: Victim) -> None:
        end = time.monotonic() + seconds
        while victim.status is None and time.monotonic() < end:
            time.sleep(0.001)

    return wait


def _when(condition: Callable[[], bool], count: int, delay: float) -> Wait:
    """Waits until a condition became true for so many times, and a moment more."""

    def wait(victim: Victim) -> None:
        left, before = count, False
        while victim.status is None and left:
            now = condition()
            left -= now and not before
            before = now
            time.sleep(0.0003)
        time.sleep(delay)

    return wait


def _whenever_new(value: Callable[[], int], count: int, delay: float) -> Wait:
    """Waits until a value has changed for so many times, and a moment more."""

    def wait(victim: Victim) -> None:
        left, before = count, value()
        while victim.status is None and left:
            now = value()
            left -= now != before
            before = now
            time.sleep(0.0003)
        time.sleep(delay)

    return wait
