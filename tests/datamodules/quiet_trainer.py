"""A trainer that writes and shows nothing, for what a data module does within one."""

from __future__ import annotations

from pathlib import Path

import lightning as L


def quiet_trainer(directory: Path, max_epochs: int = 1, limit_train_batches: int | None = None) -> L.Trainer:
    """Makes one.

    Args:
        directory: Its root.
        max_epochs: Number of epochs to train.
        limit_train_batches: Batches of an epoch; all, if not given.
    """
    return L.Trainer(
        default_root_dir=directory,
        accelerator="cpu",
        max_epochs=max_epochs,
        limit_train_batches=limit_train_batches,
        log_every_n_steps=1,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
