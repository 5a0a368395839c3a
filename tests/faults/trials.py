"""Trainings that are killed and started again until they finish, beside the same trainings left alone."""

from __future__ import annotations

import os
import random
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.moments import Scene, random_moment
from tests.faults.outcome import Outcome
from tests.faults.phase import VARIABLE
from tests.faults.task import VARIANTS, write_task
from tests.faults.victim import Victim


@dataclass(frozen=True)
class Trial:
    """A training that was killed, until it finished.

    Attributes:
        variant: How it trained.
        moments: What was going on at each kill.
        differences: To the same training left alone; none is what is wanted.
    """

    variant: str
    moments: list[str]
    differences: list[str]


@dataclass
class Trials:
    """Draws and runs trials.

    Attributes:
        folder: Where everything is written; it is left there where a trial differs.
        seed: Seed of the trainings and of the moments.
        processes: Number of processes of each training.
        forked: See :class:`tests.faults.victim.Victim`.
    """

    folder: Path
    seed: int
    processes: int = 1
    forked: bool = True
    _references: dict[str, tuple[Outcome, float]] = field(default_factory=dict)
    _count: int = 0

    def __post_init__(self) -> None:
        self._generator = random.Random(self.seed)
        self._config = write_task(self.folder, self.seed % 2**31)

    def run(self, kills: int, variant: str | None = None) -> Trial:
        """Runs one training that is killed.

        Args:
            kills: How often at most: it may finish before.
            variant: How it trains; drawn if not given.
        """
        variant = variant or self._generator.choice(list(VARIANTS))
        reference, life = self._reference(variant)
        self._count += 1
        place = self.folder / f"trial-{self._count}"
        scene, moments = _scene(place), list[str]()
        while len(moments) < kills:
            wait = random_moment(self._generator, scene, life, is_first=not moments)
            victim = self._start(place, scene, variant, goes_on=bool(moments))
            wait(victim)
            victim.kill()
            if victim.status != -9:
                break  # it was faster
            moments.append(scene.told())
        else:
            victim = self._start(place, scene, variant, goes_on=True)
            victim.wait()
        if victim.status != 0:
            lines = [line for line in (place / "log").read_text(encoding="utf-8").splitlines() if line.strip()]
            return Trial(variant, moments, [f"status {victim.status} after kill {len(moments)}: {lines[-1:]}"])
        assert scene.run is not None
        differences = reference.differences(Outcome.of(scene.run))
        if len(list(scene.runs.glob("killed/*"))) != 1:
            differences.append("it has more than one run directory")
        if not differences:
            shutil.rmtree(place)
        return Trial(variant, moments, differences)

    def _reference(self, variant: str) -> tuple[Outcome, float]:
        """What a variant comes to when it is left alone, and the seconds that it takes."""
        if variant not in self._references:
            place = self.folder / f"reference-{len(self._references)}"
            scene, begun = _scene(place), time.monotonic()
            victim = self._start(place, scene, variant, goes_on=False)
            if victim.wait() != 0:
                raise AssertionError((place / "log").read_text(encoding="utf-8"))
            assert scene.run is not None
            self._references[variant] = Outcome.of(scene.run), time.monotonic() - begun
        return self._references[variant]

    def _start(self, place: Path, scene: Scene, variant: str, goes_on: bool) -> Victim:
        scene.clear()
        words = ["fit", "--config", str(self._config), "--trainer.default_root_dir", str(scene.runs)]
        words += VARIANTS[variant]
        if self.processes > 1:
            words += ["--trainer.devices", str(self.processes), "--trainer.strategy", "ddp"]
        if goes_on:
            words += ["--ckpt_path", "last"]
        environment = {
            **os.environ,
            "SEQLAB_CACHE": str(scene.cache),
            VARIABLE: str(scene.phase),
            "OMP_NUM_THREADS": "1",
        }
        return Victim(words, place / "log", environment, self.forked)


def _scene(place: Path) -> Scene:
    place.mkdir(parents=True)
    return Scene(place / "runs", place / "cache", place / "phase")
