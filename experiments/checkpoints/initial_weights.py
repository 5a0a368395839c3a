"""``--init_from``: a model that begins with the weights of a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning as L
from torch import Tensor

from datamodules.hyperparameters import MODEL
from experiments.checkpoints.reading import read_checkpoint
from lightning_modules.shapes import check_shapes

VOCABULARIES = ("source_vocabulary_size", "target_vocabulary_size", "class_count")
"""The arguments of a model that may have grown."""

FEATURES = "feature_vocabulary_size"
"""The argument of a model that says how many of the source's ids are features."""

SOURCE = "source_embedding."
"""How the names of weights begin that have a row for each id of the source."""


def load_initial_weights(model: L.LightningModule, path: Path, trusted: Sequence[str], extends: bool = False) -> None:
    """Gives a model the weights of a checkpoint.

    Args:
        model: The model, of the checkpoint's shape.
        path: The checkpoint.
        trusted: Packages whose classes a checkpoint may name.
        extends: Whether the model may have more ids than the checkpoint, the new ones last: their rows stay as the
            model began.

    Raises:
        UserError: The checkpoint cannot be read, or its shapes are others.
    """
    checkpoint = read_checkpoint(path, trusted)
    weights = checkpoint["state_dict"]
    if extends:
        weights = _extended(weights, model.state_dict(), _growth(model, checkpoint), _features(model, checkpoint))
    check_shapes(model, weights, f"--init_from {path}")
    model.load_state_dict(weights)


def _growth(model: L.LightningModule, checkpoint: Mapping[str, Any]) -> set[tuple[int, int]]:
    """Ids of each vocabulary, in the checkpoint and in the model."""
    saved = checkpoint.get(MODEL) or {}
    return {(saved[name], model.hparams[name]) for name in VOCABULARIES if name in saved and name in model.hparams}


def _features(model: L.LightningModule, checkpoint: Mapping[str, Any]) -> tuple[int, int]:
    """Ids of features, which are the last ones of the source, in the checkpoint and in the model."""
    saved = checkpoint.get(MODEL) or {}
    return saved.get(FEATURES, 0), model.hparams.get(FEATURES, 0)


def _extended(
    saved: Mapping[str, Tensor], own: Mapping[str, Tensor], growth: set[tuple[int, int]], features: tuple[int, int]
) -> dict[str, Tensor]:
    """The weights of a checkpoint; those that have a row for each id with the model's own rows for new ids.

    Args:
        saved: The checkpoint's weights by name.
        own: The model's.
        growth: See :func:`_growth`.
        features: See :func:`_features`; the rows of the source's text come before theirs.
    """
    weights = dict(saved)
    for name in saved.keys() & own.keys():
        before, now = saved[name], own[name]
        if before.dim() and now.dim() and before.shape[1:] == now.shape[1:] and (len(before), len(now)) in growth:
            had, has = features if name.startswith(SOURCE) else (0, 0)
            text = len(before) - had
            weights[name] = now.clone()
            weights[name][:text] = before[:text]
            weights[name][len(now) - has : len(now) - has + had] = before[text:]
    return weights
