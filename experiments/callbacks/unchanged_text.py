"""A training trains on one text to its end."""

from __future__ import annotations

import lightning as L

from datamodules.corpora.parallel import ParallelDataModule
from datamodules.errors import UserError
from lightning_modules.training.trainer_parts import data_of


class UnchangedText(L.Callback):
    """Compares the training and validation text, before each epoch, with what they held when the run began.

    The run itself trains on an encoded copy. But its checkpoints would belong to a text that is no more: nobody could
    resume from them, or say what they were trained on. What is compared is the content, not the time of the files.
    """

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Compares.

        Raises:
            RunFailed: A text changed.
        """
        data = data_of(trainer)
        if not isinstance(data, ParallelDataModule):
            return
        for split in ("train", "val"):
            try:
                data.check_unchanged(split)
            except UserError:  # the text is gone: the encoded copy is still that of the run
                continue
