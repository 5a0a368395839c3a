"""A training that is killed right after one of its checkpoints was written: for each of them, and without a kill.

    python -m tests.faults.every_checkpoint [--variant "by steps"] [--seed N]

A run's directory is copied whenever a checkpoint was written in it. Each copy then resumes in the place of the run.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from experiments.checkpoints.checkpoint_io import AtomicCheckpointIO
from experiments.cli import main as seqlab
from tests.faults.outcome import Outcome
from tests.faults.task import VARIANTS, write_task

VARIABLE = "SEQLAB_TEST_COPIES"
"""The environment variable that names the folder of the copies; without it none are made."""


class CopyingIO(AtomicCheckpointIO):
    """Copies the directory of the run whenever a checkpoint was written."""

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | os.PathLike[str],
        storage_options: Any | None = None,  # noqa: ANN401 - Lightning's signature
    ) -> None:
        """Writes the checkpoint, then the copy, whose name begins with its number."""
        super().save_checkpoint(checkpoint, path, storage_options)
        if folder := os.environ.get(VARIABLE):
            number = len(list(Path(folder).iterdir()))
            shutil.copytree(Path(path).parent.parent, Path(folder) / f"{number:03d}-{Path(path).stem}")


def gone_on(folder: Path, seed: int, variant: str) -> Iterator[tuple[str, list[str]]]:
    """Trains, then resumes from the copies.

    Args:
        folder: Where everything is written.
        seed: Seed of the training.
        variant: How it trains.

    Yields:
        The name of each copy, and how the training that resumed from it differs.
    """
    copies, runs = folder / "copies", folder / "runs"
    copies.mkdir(parents=True)
    config = write_task(folder, seed)
    words = ["fit", "--config", str(config), "--trainer.default_root_dir", str(runs), *VARIANTS[variant]]
    words += ["--trainer.plugins", f"{__name__}.CopyingIO"]
    with _variable(VARIABLE, str(copies)):
        assert _quiet(words) == ""
    run = runs / "killed" / "1"
    whole = Outcome.of(run)
    for copy in sorted(copies.iterdir()):
        shutil.rmtree(run)
        copy.rename(run)
        error = _quiet([*words, "--ckpt_path", "last"])
        yield copy.name, [error] if error else whole.differences(Outcome.of(run))


def _quiet(words: list[str]) -> str:
    """What a command says that failed; nothing of one that did not."""
    os.environ.pop("SEQLAB_RUN_DIRECTORY", None)  # of the run before, in this same process
    error = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(error):
        status = seqlab(words)
    return "" if status == 0 else f"status {status}: {error.getvalue().strip().splitlines()[-1]}"


@contextlib.contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]


def main() -> int:
    """Resumes from every checkpoint; the exit status is 1 where a training differed."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.every_checkpoint")
    parser.add_argument("--variant", choices=list(VARIANTS), help="one way to train; else all of them")
    parser.add_argument("--seed", type=int, default=None, help="of the training; else random")
    given = parser.parse_args()
    seed = secrets.randbelow(2**31) if given.seed is None else given.seed
    print(f"seed {seed}")
    logging.getLogger("lightning").setLevel(logging.ERROR)
    different = 0
    for variant in [given.variant] if given.variant else VARIANTS:
        trials = 0
        for name, differences in gone_on(Path(tempfile.mkdtemp(prefix="seqlab-faults-")), seed, variant):
            trials += 1
            different += bool(differences)
            print(f"{variant}, from {name}: {'; '.join(differences) or 'the same'}", flush=True)
        print(f"{variant}: {trials} checkpoints", flush=True)
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
