"""A callback that tells when the first optimizer step of a training has ended, and ends the training with it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import lightning as L

TIME_FILE = "SEQLAB_FIRST_STEP_FILE"
"""The variable that names the file which gets the time."""


class FirstStep(L.Callback):
    """Writes the time, in seconds since 1970, into the file that :data:`TIME_FILE` names, and ends the training."""

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Writes once an optimizer step is done."""
        if trainer.global_step:
            Path(os.environ[TIME_FILE]).write_text(repr(time.time()))
            trainer.should_stop = True
            trainer.limit_val_batches = 0
