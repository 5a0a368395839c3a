"""``--init_from``: a model that begins with the weights of a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import lightning as L

from datamodules.errors import UserError
from experiments.runs.checkpoints import read_checkpoint
from lightning_modules.shapes import check_shapes


def load_initial_weights(
    model: L.LightningModule, data: L.LightningDataModule, path: Path, trusted: Sequence[str]
) -> None:
    """Gives a model the weights of a checkpoint, and nothing else of it.

    Args:
        model: The model, of the checkpoint's shape.
        data: Its data, with the checkpoint's tokenizers: else the ids would mean something else.
        path: The checkpoint.
        trusted: Packages whose classes a checkpoint may name.

    Raises:
        UserError: The checkpoint cannot be read, its shapes are others, or its tokenizers are.
    """
    checkpoint = read_checkpoint(path, trusted)
    saved = checkpoint.get(type(data).__qualname__)
    if saved is not None and saved != data.state_dict():
        raise UserError(
            f"--init_from {path}: its tokenizers are not those of this data, so its weights would mean other tokens; "
            "train on the same corpus and tokenizer settings"
        )
    check_shapes(model, checkpoint["state_dict"], str(path))
    model.load_state_dict(checkpoint["state_dict"])
