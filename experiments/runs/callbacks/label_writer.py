"""The classes that a model gives to sequences, as a table on disk."""

from __future__ import annotations

import lightning as L
from torch import Tensor

from datamodules.batch import LabelledBatch
from datamodules.errors import UserError
from experiments.runs.callbacks.prediction_writer import write_predictions
from experiments.runs.callbacks.text import gathered

COLUMNS = ("index", "label", "prediction", "probability")


class LabelWriter(L.Callback):
    """Writes ``predictions.tsv`` into the run's directory: what a classifier says of the test set, in its order.

    Each line has the sequence's index, counted from 0, its label, the class that is predicted, and its probability.
    """

    def __init__(self) -> None:
        self._predictions: dict[int, tuple[int, int, float]] = {}

    def on_predict_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Tensor,
        batch: LabelledBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keeps the best class of each sequence of the batch, from the probabilities ``(batch, classes)``.

        Raises:
            UserError: The sequences have no labels.
        """
        if not isinstance(batch, LabelledBatch):
            raise UserError(
                "LabelWriter needs sequences with labels: take PredictionWriter for text, in trainer.callbacks"
            )
        probabilities, classes = outputs.max(dim=-1)
        columns = (batch.index, batch.label, classes, probabilities)
        for index, *row in zip(*(column.tolist() for column in columns), strict=True):
            self._predictions[index] = tuple(row)

    def on_predict_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Writes the table.

        Raises:
            RunFailed: The file cannot be written, for example on a full disk.
        """
        predictions = gathered(self._predictions)
        self._predictions = {}
        if trainer.is_global_zero:
            rows = (
                (str(index), str(label), str(predicted), f"{probability:.6f}")
                for index, (label, predicted, probability) in predictions.items()
            )
            write_predictions(trainer, [COLUMNS, *rows])
