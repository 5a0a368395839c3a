"""A run as a kill right after a checkpoint leaves it, for each of its checkpoints."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from experiments.runs.checkpoint_io import AtomicCheckpointIO

VARIABLE = "SEQLAB_TEST_SNAPSHOTS"
"""The environment variable that names the folder of the copies; without it none are made."""


class SnapshotIO(AtomicCheckpointIO):
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
