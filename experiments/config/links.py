"""What a model is told by its data: sizes that no config and no checkpoint says."""

from __future__ import annotations

import inspect

import lightning as L

from datamodules.errors import UserError

SIZES = (
    "source_vocabulary_size",
    "target_vocabulary_size",
    "source_feature_size",
    "target_feature_size",
    "class_count",
    "future_feature_size",
    "source_length",
    "target_length",
)
"""What a model cannot be made without."""

LINKED = (
    *SIZES,
    "shared_vocabulary_size",
    "feature_vocabulary_size",
    "longest_source",
    "longest_target",
    "longest_ratio",
)
"""The numbers. A data module offers those that it has as properties, a model takes those that it needs as arguments of
its constructor, and each is passed on where both sides name it."""


def check_links(model: type[L.LightningModule], data: type[L.LightningDataModule]) -> None:
    """Compares what a model needs with what data offer, before either is made.

    Args:
        model: The model's class.
        data: The data module's class.

    Raises:
        UserError: The model needs a size that the data do not have, or writes targets where there are labels.
    """
    needed = inspect.signature(model).parameters
    for name in SIZES:
        if name in needed and needed[name].default is inspect.Parameter.empty and not hasattr(data, name):
            offered = ", ".join(other for other in SIZES if hasattr(data, other)) or "none"
            raise UserError(
                f"{model.__name__} needs {name} of its data, but {data.__name__} has no property of that name (it "
                f"offers {offered}): choose a model and data of one kind"
            )
    if hasattr(data, "class_count") and "target_vocabulary_size" in needed:
        raise UserError(
            f"{model.__name__} writes targets, but those of {data.__name__} are labels: choose a model that takes "
            "class_count, such as BiRNNTextClassifier"
        )
