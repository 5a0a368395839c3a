"""The vectors that a model predicts, as a table on disk."""

from __future__ import annotations

from collections.abc import Sequence

import lightning as L
from torch import Tensor

from datamodules.batch import VectorBatch
from datamodules.errors import UserError
from experiments.runs.callbacks.prediction_writer import write_predictions
from experiments.runs.callbacks.text import gathered


class VectorWriter(L.Callback):
    """Writes ``predictions.tsv`` into the run's directory: what a model makes of the test set, free running.

    Each line is one position of one sequence, in the set's order: the sequence's index and the position, both counted
    from 0, the gold numbers, and the predicted ones.
    """

    def __init__(self) -> None:
        self._predictions: dict[int, tuple[list[list[float]], list[list[float]]]] = {}

    def on_predict_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Sequence[Tensor],
        batch: VectorBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keeps the batch's predictions.

        Raises:
            UserError: The targets are no vectors.
        """
        if not isinstance(batch, VectorBatch):
            raise UserError(
                "VectorWriter needs vectors as targets: take PredictionWriter for text, or LabelWriter for "
                "labels, in trainer.callbacks"
            )
        gold = zip(batch.target.values, batch.target.lengths.tolist(), strict=True)
        for index, (values, length), predicted in zip(batch.index.tolist(), gold, outputs, strict=True):
            self._predictions[index] = (values[:length].tolist(), predicted.tolist())

    def on_predict_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Writes the table.

        Raises:
            RunFailed: The file cannot be written, for example on a full disk.
        """
        predictions = gathered(self._predictions)
        self._predictions = {}
        if not trainer.is_global_zero or not predictions:
            return
        width = len(next(iter(predictions.values()))[0][0])
        names = [f"{name}_{feature}" for name in ("gold", "predicted") for feature in range(width)]
        rows = (
            [str(index), str(position), *(f"{number:.6g}" for number in (*gold, *predicted))]
            for index, pair in predictions.items()
            for position, (gold, predicted) in enumerate(zip(*pair, strict=True))
        )
        write_predictions(trainer, [["index", "position", *names], *rows])
