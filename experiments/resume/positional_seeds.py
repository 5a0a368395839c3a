"""Randomness as a function of the position in training."""

from __future__ import annotations

import hashlib

import lightning as L
import torch

from datamodules.batch import Batch


class PositionalSeeds(L.Callback):
    """Seeds torch's generators before each training batch from (seed, epoch, batch, rank).

    So dropout does not depend on what ran before, and a run resumes exactly.

    Args:
        seed: The experiment's seed.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        """Seeds the CPU's and the device's generators."""
        position = f"{self.seed}:{trainer.current_epoch}:{batch_idx}:{trainer.global_rank}"
        torch.manual_seed(int.from_bytes(hashlib.sha256(position.encode()).digest()[:8], "little") >> 1)
