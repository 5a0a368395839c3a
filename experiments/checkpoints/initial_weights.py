"""``--init_from``: a model that begins with the weights of a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import lightning as L

from experiments.checkpoints.reading import read_checkpoint
from lightning_modules.shapes import check_shapes


def load_initial_weights(model: L.LightningModule, path: Path, trusted: Sequence[str]) -> None:
    """Gives a model the weights of a checkpoint.

    Args:
        model: The model, of the checkpoint's shape.
        path: The checkpoint.
        trusted: Packages whose classes a checkpoint may name.

    Raises:
        UserError: The checkpoint cannot be read, or its shapes are others.
    """
    checkpoint = read_checkpoint(path, trusted)
    check_shapes(model, checkpoint["state_dict"], f"--init_from {path}")
    model.load_state_dict(checkpoint["state_dict"])
