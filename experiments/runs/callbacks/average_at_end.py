"""Checkpoint averaging at the end of a run."""

from __future__ import annotations

import sys
from pathlib import Path

import lightning as L
from lightning.pytorch.utilities import rank_zero_info

from datamodules.errors import UserError
from experiments.checkpoints.averaging import average_checkpoints, checkpoints_by_step
from experiments.checkpoints.checkpoint_io import save_checkpoint
from experiments.storage.layout import CHECKPOINTS


class AverageAtEnd(L.Callback):
    """Averages the last checkpoints of the run into ``checkpoints/averaged.ckpt`` (Junczys-Dowmunt et al. 2016).

    Args:
        last: How many; the run has to keep at least as many, with ``save_top_k`` of a ModelCheckpoint. A run that wrote
            fewer averages those that it has.

    Raises:
        UserError: ``last`` is below 1.
    """

    def __init__(self, last: int = 5) -> None:
        if last < 1:
            raise UserError(f"last is {last}: average at least 1 checkpoint")
        self.last = last

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Averages, on rank zero; nothing where none was written."""
        folder = Path(trainer.default_root_dir) / CHECKPOINTS
        if not trainer.is_global_zero or not folder.is_dir():
            return
        # This process made them, with the classes that it has imported.
        trusted = sorted({name.partition(".")[0] for name in sys.modules})
        paths = checkpoints_by_step(folder, trusted)[-self.last :]
        target = folder / "averaged.ckpt"
        save_checkpoint(average_checkpoints(paths, trusted), target)
        rank_zero_info(f"{target}: the average of {', '.join(path.name for path in paths)}")
