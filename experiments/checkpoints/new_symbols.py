"""What new training data have that the vocabulary of a checkpoint lacks: it is told, or given ids."""

from __future__ import annotations

from collections.abc import Sequence

import lightning as L
from lightning.pytorch.utilities import rank_zero_info

from datamodules.batch import Split
from datamodules.corpora.parallel import ParallelDataModule
from datamodules.corpora.vocabularies import SIDES, Side, Unseen
from datamodules.errors import UserError
from experiments.checkpoints.asked_tokenizers import check_asked_for

MOST_SYMBOLS = 8
"""So many are named of each text."""


def begin_with_vocabulary(data: L.LightningDataModule, origin: str, extends: bool) -> None:
    """Looks at the text of a new training with the tokenizers of a checkpoint.

    Args:
        data: With the tokenizers of the checkpoint; data without tokenizers have no use for any.
        origin: The option and the path that name the checkpoint.
        extends: Whether what the vocabularies lack of the training text is given ids.

    Raises:
        UserError: The config asks for other tokenizers, or they cannot be extended.
    """
    if isinstance(data, ParallelDataModule):
        check_asked_for(data, origin)
        if extends:
            extend_vocabulary(data)
        tell_unseen(data, origin)
    elif extends:
        raise UserError(f"--extend_vocabulary: {type(data).__name__} has no vocabulary: leave it out")


def tell_unseen(data: ParallelDataModule, origin: str) -> None:
    """Names what the vocabularies lack of the training and the validation text: it is read as unknown.

    Args:
        data: With the tokenizers of a checkpoint.
        origin: The option and the path that name the checkpoint.
    """
    for split in ("train", "val"):
        for side, unseen in data.unseen(split).items():
            if unseen:
                rank_zero_info(f"{origin}: its vocabulary lacks {_listed(data, split, side, unseen)}")


def extend_vocabulary(data: ParallelDataModule) -> None:
    """Gives ids to what the vocabularies lack of the training text, and tells so.

    Args:
        data: With the tokenizers of a checkpoint.

    Raises:
        UserError: A tokenizer cannot be given more.
    """
    before = _sizes(data)
    added = data.extend_vocabulary()
    grown = ", ".join(
        f"{old:,} to {new:,} {side} ids" for side, old, new in zip(SIDES, before, _sizes(data), strict=True)
    )
    rank_zero_info(f"--extend_vocabulary: {grown}")
    for side, symbols in added.items():
        if symbols:
            rank_zero_info(f"--extend_vocabulary: ids for {_listed(data, 'train', side, symbols)}")


def _sizes(data: ParallelDataModule) -> tuple[int, int]:
    return data.source_vocabulary_size, data.target_vocabulary_size


def _listed(data: ParallelDataModule, split: Split, side: Side, symbols: Sequence[Unseen]) -> str:
    """How many symbols of which text, and the first of them with their places."""
    text, unit = data.named(split, side)
    words = [
        f"{'feature ' if each.is_feature else ''}{each.symbol!r} ({unit} {each.number}, {each.count:,} in all)"
        for each in symbols[:MOST_SYMBOLS]
    ]
    if len(symbols) > MOST_SYMBOLS:
        words.append(f"{len(symbols) - MOST_SYMBOLS:,} more")
    noun = "symbol" if len(symbols) == 1 else "symbols"
    return f"{len(symbols):,} {noun} of {text}: {', '.join(words)}"
