"""The checkpoints of the last epochs of a run."""

from __future__ import annotations

from lightning.pytorch.callbacks import ModelCheckpoint

from datamodules.errors import UserError

LAST = "last"


class LastCheckpoints(ModelCheckpoint):
    """Keeps ``checkpoints/last.ckpt``, from which training is resumed, written after each validation.

    Every run that has a :class:`BestCheckpoint` has this too; a config names it to keep more.

    Args:
        keep: Number of epochs whose checkpoints are kept as well, as ``epoch-004.ckpt``, to be averaged.

    Raises:
        UserError: ``keep`` is negative.
    """

    def __init__(self, keep: int = 0) -> None:
        if keep < 0:
            raise UserError(f"keep is {keep}: give 0 or more")
        super().__init__(
            filename="epoch-{epoch:03d}" if keep else LAST,
            auto_insert_metric_name=False,
            monitor="epoch",
            mode="max",
            save_top_k=keep or 1,
            save_last=True if keep else None,
            enable_version_counter=False,
        )
