"""What a checkpoint keeps of the data that its weights were trained on: the tokenizers that give ids their meaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import lightning as L
from lightning.pytorch.utilities import rank_zero_info

from datamodules.corpora.parallel import HASH_DIGITS, ParallelDataModule
from datamodules.errors import UserError
from experiments.checkpoints.saved_tokenizers import CONTENT, LENGTHS, saved_state, saved_tokenizers
from experiments.config.class_paths import DATA_HYPERPARAMETERS

TOKENIZER_ARGUMENTS = {"tokenizer": None, "target_tokenizer": None, "joint_vocabulary": False, "copy_unknown": False}
"""What decides on the tokenizers and their ids, with what a checkpoint means that does not say."""


def checkpoint_parts(model: L.LightningModule, data: L.LightningDataModule) -> dict[str, Any]:
    """What a checkpoint will say of how model and data are made, before there is one.

    Args:
        model: The model.
        data: Its data.
    """
    tokenizers = data.state_dict() if isinstance(data, ParallelDataModule) else {}
    return {
        "hyper_parameters": dict(model.hparams),
        DATA_HYPERPARAMETERS: dict(data.hparams),
        type(data).__name__: tokenizers,
    }


@dataclass(frozen=True)
class SavedData:
    """The data side of the checkpoint that a command starts from, for the data module that the command makes.

    Any parallel text is read with the tokenizers of any other: which of them trained the weights does not matter.

    Attributes:
        origin: The option and the path that name the checkpoint, for messages.
        arguments: The arguments of the data module that the weights were trained with, ``_class_path`` among them;
            empty where the checkpoint does not say.
        tokenizers: See :func:`experiments.checkpoints.saved_tokenizers.saved_tokenizers`.
        contents: The hash (hex) of each split that the training used; empty where the checkpoint does not say.
        lengths: Lengths of the training pairs, as the data module's state has them; None where the checkpoint does not
            say.
    """

    origin: str
    arguments: Mapping[str, Any]
    tokenizers: Mapping[str, Any] | None
    contents: Mapping[str, str]
    lengths: object

    @classmethod
    def of(cls, checkpoint: Mapping[str, Any], origin: str) -> SavedData:
        """Takes the data's part out of a checkpoint, whose class paths were checked before."""
        state = saved_state(checkpoint) or {}
        contents = state.get(CONTENT)
        known = contents if isinstance(contents, Mapping) else {}
        arguments = checkpoint.get(DATA_HYPERPARAMETERS) or {}
        return cls(origin, arguments, saved_tokenizers(checkpoint), known, state.get(LENGTHS))

    def restore(self, data: L.LightningDataModule, fine_tunes: bool) -> None:
        """Gives a data module the checkpoint's tokenizers; one without parallel text has no use for them.

        Args:
            data: Just made: nobody has asked for its vocabulary yet.
            fine_tunes: Whether a new training begins, whose pairs may be of other lengths than the checkpoint's.

        Raises:
            UserError: The checkpoint has no tokenizers, or their state is damaged.
        """
        if not isinstance(data, ParallelDataModule):
            return
        if self.tokenizers is None:
            made_with = self.arguments.get("_class_path", "other data")
            raise UserError(
                f"{self.origin} was trained with {made_with} and has no tokenizers, which {type(data).__name__} "
                "needs: take a checkpoint that was trained on parallel text"
            )
        try:
            data.load_state_dict({**self.tokenizers, **({} if fine_tunes else {LENGTHS: self.lengths})})
        except UserError as error:
            raise UserError(f"{self.origin}: {error}") from error
        sizes = f"{data.source_vocabulary_size:,} source ids, {data.target_vocabulary_size:,} target ids"
        rank_zero_info(f"{self.origin}: its tokenizers are used ({sizes})")

    def check_same_tokenizers(self, data: L.LightningDataModule) -> None:
        """Refuses other tokenizers or ids for a resumed training: its weights know no others than those they have.

        Args:
            data: The data module, with its hyperparameters.

        Raises:
            UserError: An argument asks for others than those that the training began with.
        """
        if data.hparams.get("_class_path") != self.arguments.get("_class_path"):
            return
        for name, otherwise in TOKENIZER_ARGUMENTS.items():
            wanted, had = data.hparams.get(name, otherwise), self.arguments.get(name, otherwise)
            if wanted != had:
                raise UserError(
                    f"data.init_args.{name} is {wanted}, but {self.origin} was trained with {had}: leave it as it was, "
                    "or start a new training without --ckpt_path"
                )

    def check_same_content(self, data: L.LightningDataModule) -> None:
        """Refuses other training or validation text for a resumed training: it would be neither of two trainings.

        Args:
            data: The data module.

        Raises:
            UserError: A text is not what it was when the checkpoint was written.
        """
        if not isinstance(data, ParallelDataModule):
            return
        for split in ("train", "val"):
            had = self.contents.get(split)
            if isinstance(had, str) and (now := data.read_content(split)) != had:
                raise UserError(
                    f"the {split} data is not that of {self.origin}: its content is {now[:HASH_DIGITS]} (SHA-256), but "
                    f"was {had[:HASH_DIGITS]} in training; put back what it was, or begin anew with these weights by "
                    "--init_from"
                )
