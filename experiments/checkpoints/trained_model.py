"""A model made again of its checkpoint alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from datamodules.errors import UserError
from experiments.config.class_paths import import_classes, resolve
from experiments.config.parts import make_part
from lightning_modules.shapes import check_shapes
from lightning_modules.training.module import LightningModule

ModelT = TypeVar("ModelT", bound=LightningModule)


def trained_model(checkpoint: Mapping[str, Any], path: Path, kind: type[ModelT], otherwise: str) -> ModelT:
    """Makes the model, with its weights.

    Args:
        checkpoint: As read from disk, its class paths checked.
        path: Where it was read, for errors.
        kind: What the model has to be.
        otherwise: What is told of a model that is something else: ends "is a checkpoint of CLASS, ...".

    Raises:
        UserError: The checkpoint is of another kind of model, or its weights do not fit its hyperparameters.
    """
    try:
        model = _build(checkpoint.get("hyper_parameters"), kind, otherwise)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    check_shapes(model, checkpoint["state_dict"], str(path))
    model.load_state_dict(checkpoint["state_dict"])
    return model


def _build(hyperparameters: object, kind: type[ModelT], otherwise: str) -> ModelT:
    """The model with fresh weights; the subject of an error's message is the file."""
    if not isinstance(hyperparameters, Mapping) or "_class_path" not in hyperparameters:
        raise UserError("does not say which model it is of: give a checkpoint that 'seqlab fit' wrote")
    class_path = hyperparameters["_class_path"]
    import_classes(hyperparameters)
    model_class = resolve(class_path)
    if not (isinstance(model_class, type) and issubclass(model_class, kind)):
        raise UserError(f"is a checkpoint of {class_path}, {otherwise}")
    arguments = {key: value for key, value in hyperparameters.items() if key not in ("_class_path", "_instantiator")}
    try:
        return make_part(model_class, arguments)
    except (TypeError, ValueError, RuntimeError, AttributeError, LookupError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"has hyperparameters that {class_path} does not take: {reason}; use the version of seqlab that wrote it"
        ) from error
