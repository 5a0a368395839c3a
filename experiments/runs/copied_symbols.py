"""Whether a model copies what its data let it copy."""

from __future__ import annotations

import lightning as L

from datamodules.corpora.parallel import ParallelDataModule
from datamodules.errors import UserError
from lightning_modules.encoder_decoder import EncoderDecoder


def check_copied_symbols(model: L.LightningModule, data: L.LightningDataModule) -> None:
    """Refuses data with ids above the vocabulary for a model that knows those of the vocabulary alone.

    Args:
        model: The model.
        data: Its data.

    Raises:
        UserError: The data have such ids, and the model's head does not copy.
    """
    if not isinstance(data, ParallelDataModule) or not data.copies_unknown:
        return
    if not isinstance(model, EncoderDecoder) or not model.output.copies:
        head = type(model.output if isinstance(model, EncoderDecoder) else model).__name__
        raise UserError(
            f"data.init_args.copy_unknown is true, but {head} copies nothing: add model.init_args.head: "
            "CopyVocabularyHead, or leave copy_unknown out"
        )
