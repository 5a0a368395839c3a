"""``seqlab predict``: which split is read, and the file that is written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L

from datamodules.batch import Split
from datamodules.errors import UserError
from datamodules.translation import TranslationDataModule
from experiments.callbacks.prediction_writers import TableWriter
from experiments.config.class_paths import resolve
from experiments.storage.outputs import check_outputs


def direct_predictions(callbacks: Sequence[Any], output: str) -> None:
    """Tells the writers of predictions their file.

    Args:
        callbacks: The config's, not made yet.
        output: The file.

    Raises:
        UserError: There is no writer.
    """
    writers = [each for each in callbacks if each and issubclass(resolve(each.class_path), TableWriter)]
    if not writers:
        raise UserError(
            "--output has nobody to write it: add PredictionWriter, LabelWriter or VectorWriter to trainer.callbacks"
        )
    for writer in writers:
        writer.init_args.output = output


def choose_split(data: L.LightningDataModule, split: Split) -> None:
    """Has the data give another split than the test.

    Args:
        data: The data module.
        split: What is predicted.

    Raises:
        UserError: The data have no choice of splits.
    """
    if split != "test":
        if not hasattr(data, "predicted"):
            raise UserError(
                f"--split {split}: {type(data).__name__} has no attribute predicted, and gives the test alone"
            )
        data.predicted = split


def check_prediction_output(data: L.LightningDataModule, checkpoint: str | None, output: str) -> None:
    """Refuses an output that is a file of the data, or the checkpoint.

    Args:
        data: The data module.
        checkpoint: What is read, if anything.
        output: The file.

    Raises:
        UserError: The output cannot be written.
    """
    read = data.files() if isinstance(data, TranslationDataModule) else []
    checkpoints = [] if checkpoint is None else [("--ckpt_path", Path(checkpoint))]
    check_outputs([*checkpoints, *read], {"--output": Path(output)})
