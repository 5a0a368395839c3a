"""The tokenizers that a checkpoint keeps: they give its ids their meaning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datamodules.errors import UserError
from datamodules.tokenizers import Tokenizer, restore_tokenizer

CONTENT = "content"
"""The key of the hashes of the text in the data module's state."""

LENGTHS = "training_lengths"
"""The key of the lengths of the training pairs there."""


def saved_tokenizers(checkpoint: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The tokenizers that ``ParallelDataModule.state_dict`` gave.

    Args:
        checkpoint: As read from disk.

    Returns:
        Its ``source_tokenizer`` and ``target_tokenizer``; None where the data had no tokenizers.
    """
    state = saved_state(checkpoint)
    return None if state is None else {name: state.get(name) for name in ("source_tokenizer", "target_tokenizer")}


def saved_state(checkpoint: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The state of the data module, which Lightning keeps under the name of its class; None where it has no tokenizers.

    Args:
        checkpoint: As read from disk.
    """
    states = (value for value in checkpoint.values() if isinstance(value, Mapping) and "source_tokenizer" in value)
    return next(states, None)


def copies_unknown(checkpoint: Mapping[str, Any]) -> bool:
    """Whether the model copies from a source what its vocabulary lacks; one from before cannot.

    Args:
        checkpoint: As read from disk.
    """
    return (saved_state(checkpoint) or {}).get("copy_unknown") is True


def restore_tokenizers(checkpoint: Mapping[str, Any]) -> tuple[Tokenizer, Tokenizer]:
    """Source and target tokenizer; one object where the vocabulary is joint.

    Args:
        checkpoint: As read from disk, its class paths checked.

    Raises:
        UserError: It has none, or their state is damaged. The message begins with a verb.
    """
    saved = saved_tokenizers(checkpoint)
    if saved is None or not isinstance(saved["source_tokenizer"], Mapping):
        raise UserError("has no tokenizers: give a checkpoint that 'seqlab fit' wrote")
    source = restore_tokenizer(saved["source_tokenizer"])
    target = saved.get("target_tokenizer")
    return source, source if target is None else restore_tokenizer(target)
