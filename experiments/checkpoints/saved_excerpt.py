"""How much of a source a model reads, as its checkpoint says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datamodules.errors import UserError
from datamodules.excerpts import Excerpt
from experiments.checkpoints.saved_tokenizers import saved_state
from experiments.config.class_paths import resolve
from experiments.config.parts import UnfitValueError, make_part


def restore_excerpt(checkpoint: Mapping[str, Any]) -> Excerpt | None:
    """The excerpt that the training read of each source; None where it read all, as of a checkpoint from before.

    Args:
        checkpoint: As read from disk, its class paths checked.

    Raises:
        UserError: Its description is damaged. The message begins with a verb.
    """
    described = (saved_state(checkpoint) or {}).get("excerpt")
    if described is None:
        return None
    kind = resolve(described["class_path"]) if isinstance(described, Mapping) and "class_path" in described else None
    if not (isinstance(kind, type) and issubclass(kind, Excerpt)):
        raise UserError("does not say how much of a source is read: its excerpt is damaged")
    try:
        made = make_part(kind, described.get("init_args", {}))
    except (UnfitValueError, TypeError, AttributeError) as error:
        raise UserError(f"has a damaged excerpt ({error})") from error
    assert isinstance(made, Excerpt)
    return made
