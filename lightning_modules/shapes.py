"""Whether saved weights fit a model."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from datamodules.errors import UserError


def check_shapes(module: nn.Module, saved: Mapping[str, Tensor], origin: str) -> None:
    """Compares saved weights with a model's, before any is loaded.

    Args:
        module: The model.
        saved: The weights by name.
        origin: Where they come from, for the message.

    Raises:
        UserError: A name is missing or unknown, or a shape differs; the message gives both values.
    """
    own = module.state_dict()
    for name in sorted(own.keys() & saved.keys()):
        if own[name].shape != saved[name].shape:
            raise UserError(
                f"{origin}: '{name}' has shape {tuple(saved[name].shape)} in the checkpoint and "
                f"{tuple(own[name].shape)} in this model: give the sizes that it was trained with"
            )
    if different := sorted(own.keys() ^ saved.keys()):
        side = "checkpoint" if different[0] in saved else "model"
        raise UserError(
            f"{origin}: '{different[0]}' is in the {side} alone ({len(different)} such names): the checkpoint is of "
            "another kind of model"
        )
