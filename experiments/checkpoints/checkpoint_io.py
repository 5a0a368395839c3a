"""How checkpoints get to the disk and back for the Trainer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from datamodules.errors import RunFailed
from experiments.checkpoints.quantising import restored
from experiments.checkpoints.reading import load_archive
from experiments.config.renamed import renewed
from experiments.storage.durable import durable_write


def save_checkpoint(checkpoint: dict[str, Any], path: Path) -> None:
    """Writes a checkpoint whole, or leaves what the path held.

    Args:
        checkpoint: Tensors and plain values.
        path: The file; its directory is made.

    Raises:
        RunFailed: The disk is full, or the file cannot be written for another reason.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunFailed(f"cannot make the directory {path.parent}: {error.strerror}") from error
    with durable_write(path) as file:
        torch.save(checkpoint, file)


class AtomicCheckpointIO(TorchCheckpointIO):
    """The Trainer's reading and writing of checkpoints, such that neither a kill nor a full disk costs one.

    A checkpoint is written beside its target, synced and renamed over it. It is read after every byte was checked
    against its checksum, as tensors and plain values only.
    """

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | os.PathLike[str],
        storage_options: Any | None = None,  # noqa: ANN401 - Lightning's signature
    ) -> None:
        """Writes a checkpoint; see :func:`save_checkpoint`.

        Args:
            checkpoint: What the Trainer dumps.
            path: The file.
            storage_options: None: there are no options.

        Raises:
            RunFailed: The disk is full, or the file cannot be written for another reason.
            TypeError: There are options.
        """
        if storage_options is not None:
            raise TypeError(f"{type(self).__name__} has no storage options, but was given {storage_options!r}")
        save_checkpoint(checkpoint, Path(path))

    def load_checkpoint(
        self,
        path: str | os.PathLike[str],
        map_location: Any | None = None,  # noqa: ANN401 - Lightning's signature
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Reads a checkpoint onto the CPU; the Trainer moves what it needs.

        Args:
            path: The file.
            map_location: Without effect.
            weights_only: True or None: more than tensors and plain values is never read.

        Raises:
            UserError: The file is missing, damaged or no checkpoint, or holds a pickled object.
            ValueError: ``weights_only`` is False.
        """
        if weights_only is False:
            raise ValueError(
                f"{type(self).__name__} reads tensors and plain values only; weights_only=False is not one"
            )
        return restored(renewed(load_archive(Path(path))), Path(path))
