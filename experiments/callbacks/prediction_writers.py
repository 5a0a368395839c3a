"""What a model predicts, text, labels or vectors, as a table on disk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import lightning as L
from torch import Tensor

from datamodules.batch import LabelledBatch, SequenceBatch, VectorBatch
from datamodules.errors import UserError
from experiments.callbacks.text import gathered, sentence_pairs, written
from experiments.storage.durable import durable_write
from lightning_modules.decoding.hypothesis import Hypothesis

PREDICTIONS = "predictions.tsv"

TEXT_COLUMNS = ("source", "hypothesis", "score")
LABEL_COLUMNS = ("index", "label", "prediction", "probability")

_ESCAPES = str.maketrans(
    {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}
    | {char: f"\\u{ord(char):04x}" for char in "\v\f\x1c\x1d\x1e\x85\u2028\u2029"}
)


class PredictionWriter(L.Callback):
    r"""Writes ``predictions.tsv`` into the run's directory: source, hypothesis and score of the test set, in its order.

    A tab, a backslash or a line break inside a text stands there as ``\t``, ``\\``, ``\n`` and the like, so that a line
    is a sentence and a tab a border.
    """

    def __init__(self) -> None:
        self._predictions: dict[int, tuple[str, float]] = {}

    def on_predict_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Sequence[Hypothesis],
        batch: SequenceBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keeps the batch's hypotheses."""
        data = sentence_pairs(trainer)
        for index, hypothesis in zip(batch.index.tolist(), outputs, strict=True):
            self._predictions[index] = (written(data, "test", index, hypothesis), hypothesis.score)

    def on_predict_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Writes the table.

        Raises:
            RunFailed: The file cannot be written, for example on a full disk.
        """
        predictions = gathered(self._predictions)
        self._predictions = {}
        if not trainer.is_global_zero:
            return
        sources = sentence_pairs(trainer).sources("test")
        rows = [
            (sources[index].translate(_ESCAPES), hypothesis.translate(_ESCAPES), f"{score:.6f}")
            for index, (hypothesis, score) in predictions.items()
        ]
        write_predictions(trainer, [TEXT_COLUMNS, *rows])


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
            write_predictions(trainer, [LABEL_COLUMNS, *rows])


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


def write_predictions(trainer: L.Trainer, rows: Iterable[Sequence[str]]) -> None:
    """Writes ``predictions.tsv`` into the run's directory.

    Args:
        trainer: Knows the directory.
        rows: The cells of each line, the header first; none of them with a tab or a line break.

    Raises:
        RunFailed: The file cannot be written, for example on a full disk.
    """
    path = Path(trainer.default_root_dir) / PREDICTIONS
    path.parent.mkdir(parents=True, exist_ok=True)
    with durable_write(path) as file:
        file.writelines(("\t".join(row) + "\n").encode() for row in rows)
