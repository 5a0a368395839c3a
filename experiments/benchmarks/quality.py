"""How long a training takes to each quality: the checkpoint of each epoch is measured, and the clock told beside it."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from datamodules.errors import RunFailed, UserError, suggest
from experiments.processes.command_pool import CommandPool
from experiments.storage.layout import AVERAGED_CHECKPOINT, CHECKPOINTS, CONFIG, METRICS, newest_run
from experiments.storage.metrics_table import read_metrics

EXPERIMENT = "quality"
"""The name of the training that is timed."""

EPOCHS = "of-epoch-"
"""How the checkpoints begin that are measured."""

_KEEPER = json.dumps(
    {
        "class_path": "lightning.pytorch.callbacks.ModelCheckpoint",
        "init_args": {
            "every_n_epochs": 1,
            "save_top_k": -1,
            "save_weights_only": True,
            "auto_insert_metric_name": False,
            "filename": f"{EPOCHS}{{epoch:03d}}",
        },
    }
)
"""The callback that keeps them."""


@dataclass(frozen=True)
class Point:
    """A checkpoint, measured.

    Attributes:
        checkpoint: Its name.
        minutes: From the start of the command that trained it until it lay on the disk: imports, preparation of data
            and validations are among them.
        value: The metric.
    """

    checkpoint: str
    minutes: float
    value: float


@dataclass(frozen=True)
class Reached:
    """When a quality was first reached.

    Attributes:
        level: The quality.
        minutes: See :class:`Point`; None where no checkpoint has it.
        checkpoint: The first that has it; empty where none has.
    """

    level: float
    minutes: float | None
    checkpoint: str


class TimedTraining:
    """A training by ``seqlab fit`` in a process of its own, of which the checkpoint of each epoch is kept and timed.

    Args:
        words: What is typed after ``seqlab fit``, the config among it.
        directory: Where the run and the output of all commands go.
    """

    def __init__(self, words: Sequence[str], directory: Path) -> None:
        self._words = words
        self._directory = directory
        self._commands = CommandPool(EXPERIMENT, 1)
        self._begun = math.nan

    def train(self) -> list[Path]:
        """Trains.

        Returns:
            The checkpoints, oldest first, the average of the last ones at the end where the training made one.

        Raises:
            UserError: The command was refused.
            RunFailed: It failed, or kept no checkpoint.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        before = self._run()
        own = ["--experiment", EXPERIMENT, "--trainer.default_root_dir", str(self._directory)]
        self._begun = time.time()
        log = self._directory / "fit.log"
        self._commands.run(["fit", *self._words, "--trainer.callbacks+", _KEEPER, *own], log)
        run = self._run()
        if run is None or run == before:
            raise RunFailed(f"the training left no run in {self._directory}; its output is in {log}")
        place = run / CHECKPOINTS
        kept = [*sorted(place.glob(f"{EPOCHS}*.ckpt")), *place.glob(AVERAGED_CHECKPOINT)]
        if not kept:
            raise RunFailed(f"the training kept no checkpoint in {place}")
        return kept

    def measured(self, checkpoints: Sequence[Path], metric: str) -> Iterator[Point]:
        """Tests checkpoints, each by ``seqlab test``, as it is asked for.

        Args:
            checkpoints: From :meth:`train`.
            metric: As ``test/bleu``.

        Raises:
            UserError: A test does not log that metric.
            RunFailed: A test failed.
        """
        run = self._run()
        assert run is not None
        for checkpoint in checkpoints:
            words = ["test", "--config", str(run / CONFIG), "--ckpt_path", str(checkpoint)]
            self._commands.run(words, self._directory / "test.log")
            logged = read_metrics(run / METRICS)
            if metric not in logged:
                there = [name for name in logged if name.startswith("test/")]
                raise UserError(f"--metric {metric}: no test of this experiment logs it: {suggest(metric, there)}")
            minutes = (checkpoint.stat().st_mtime - self._begun) / 60
            yield Point(checkpoint.stem, minutes, logged[metric][-1].value)

    def _run(self) -> Path | None:
        """The run that was made last."""
        return newest_run(self._directory, EXPERIMENT)


def reached(points: Sequence[Point], levels: Sequence[float], falls: bool) -> list[Reached]:
    """When each quality was first reached.

    Args:
        points: In the order of the training.
        levels: The qualities.
        falls: Whether less is better, as of a loss.
    """
    found = []
    for level in levels:
        first = next((each for each in points if (each.value <= level if falls else each.value >= level)), None)
        found.append(Reached(level, first.minutes if first else None, first.checkpoint if first else ""))
    return found
