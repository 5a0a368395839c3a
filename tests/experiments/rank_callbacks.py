"""Callbacks that do one thing on one rank."""

import atexit
import json
import os
import sys
import time
from pathlib import Path

import lightning as L

from datamodules.errors import RunFailed


class Fails(L.Callback):
    """One rank fails at a step, while the others are in something that takes ten minutes.

    Args:
        rank: Which.
        step: The optimizer step.
    """

    def __init__(self, rank: int, step: int) -> None:
        self.rank = rank
        self.step = step

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: object, batch_idx: int
    ) -> None:
        if trainer.global_step == self.step:
            if trainer.global_rank == self.rank:
                raise RunFailed(f"rank {self.rank} has no more paper")
            time.sleep(600)


class WrittenFiles(L.Callback):
    """Notes which files a process opens for writing below a folder, and tells them in a file when it ends.

    Args:
        folder: What is looked at.
        told: Where a file is made for each rank.
    """

    def __init__(self, folder: str, told: str) -> None:
        written: set[str] = set()

        def note(event: str, arguments: tuple[object, ...]) -> None:
            if event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
                path, mode = os.fsdecode(arguments[0]), arguments[2]
                if isinstance(mode, int) and mode & (os.O_WRONLY | os.O_RDWR) and Path(path).is_relative_to(folder):
                    written.add(path)

        sys.addaudithook(note)
        rank = os.environ.get("LOCAL_RANK", "0")
        atexit.register(lambda: Path(told, f"rank{rank}.json").write_text(json.dumps(sorted(written))))
