"""What a model predicts, text, labels or vectors, as a table on disk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import lightning as L
from torch import Tensor

from datamodules.batch import LabelledBatch, SequenceBatch, VectorBatch
from datamodules.errors import UserError
from experiments.callbacks.text import (
    class_names,
    gathered,
    has_text,
    line_numbers,
    predicted_split,
    sentence_pairs,
    text_data,
    written,
)
from experiments.storage.predictions_table import PREDICTIONS, escaped, write_rows
from lightning_modules.decoding.hypothesis import Hypothesis

TEXT_COLUMNS = ("source", "hypothesis", "score", "reference", "line")
LABEL_COLUMNS = ("index", "label", "prediction", "probability")
LABELLED_TEXT_COLUMNS = ("source", "hypothesis", "probability", "reference", "line")

Predicted = TypeVar("Predicted")


class TableWriter(L.Callback, ABC, Generic[Predicted]):
    """Writes what a model predicts as a table, when all of it was seen, in the order of the data.

    Args:
        output: The file; if not given, ``predictions.tsv`` in the run's directory.
    """

    def __init__(self, output: str | None = None) -> None:
        self._output = output
        self._predictions: dict[int, Predicted] = {}

    def on_predict_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Writes the table.

        Raises:
            RunFailed: The file cannot be written, for example on a full disk.
        """
        predictions = gathered(self._predictions)
        self._predictions = {}
        if trainer.is_global_zero:
            write_predictions(trainer, self.rows(trainer, predictions), self._output)

    @abstractmethod
    def rows(self, trainer: L.Trainer, predictions: Mapping[int, Predicted]) -> Iterable[Sequence[str]]:
        """The cells of each line, the header first.

        Args:
            trainer: Has the data module.
            predictions: What was predicted, by index in rising order.
        """


class PredictionWriter(TableWriter[tuple[str, float]]):
    r"""Writes ``predictions.tsv``: source, hypothesis, score, reference and line of each test sentence, in order.

    The line is where the pair stands in its file, counted from 1, those that were skipped counted too; of a table with
    a header it is the row. A tab, a backslash or a line break inside a text stands there as ``\t``, ``\\``, ``\n`` and
    the like, so that a line is a sentence and a tab a border.

    Args:
        output: The file; if not given, ``predictions.tsv`` in the run's directory.
    """

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
        data, split = sentence_pairs(trainer), predicted_split(trainer)
        for index, hypothesis in zip(batch.index.tolist(), outputs, strict=True):
            self._predictions[index] = (written(data, split, index, hypothesis), hypothesis.score)

    def rows(self, trainer: L.Trainer, predictions: Mapping[int, tuple[str, float]]) -> Iterator[Sequence[str]]:
        """See :meth:`TableWriter.rows`."""
        yield TEXT_COLUMNS
        yield from _with_text(trainer, {index: (text, f"{score:.6f}") for index, (text, score) in predictions.items()})


class LabelWriter(TableWriter[tuple[int, int, float]]):
    """Writes ``predictions.tsv``: what a classifier says of the test set, in its order.

    Of texts each line has the text as ``source``, the label that is predicted as ``hypothesis``, its probability, the
    text's own label as ``reference``, and its line, as :class:`PredictionWriter` has it. Of vectors it has the
    sequence's index, counted from 0, its label, the class that is predicted, and its probability.

    Args:
        output: The file; if not given, ``predictions.tsv`` in the run's directory.
    """

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

    def rows(self, trainer: L.Trainer, predictions: Mapping[int, tuple[int, int, float]]) -> Iterator[Sequence[str]]:
        """See :meth:`TableWriter.rows`."""
        told = {index: (each[1], f"{each[2]:.6f}") for index, each in predictions.items()}
        if has_text(trainer):
            yield LABELLED_TEXT_COLUMNS
            names = class_names(trainer)
            yield from _with_text(trainer, {index: (names[each], share) for index, (each, share) in told.items()})
            return
        yield LABEL_COLUMNS
        for index, (predicted, share) in told.items():
            yield str(index), str(predictions[index][0]), str(predicted), share


class VectorWriter(TableWriter[tuple[list[list[float]], list[list[float]]]]):
    """Writes ``predictions.tsv``: what a model makes of the test set, free running.

    Each line is one position of one sequence, in the set's order: the sequence's index and the position, both counted
    from 0, the gold numbers, and the predicted ones.

    Args:
        output: The file; if not given, ``predictions.tsv`` in the run's directory.
    """

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

    def rows(
        self, trainer: L.Trainer, predictions: Mapping[int, tuple[list[list[float]], list[list[float]]]]
    ) -> Iterator[Sequence[str]]:
        """See :meth:`TableWriter.rows`."""
        width = len(next(iter(predictions.values()))[0][0])
        names = [f"{name}_{feature}" for name in ("gold", "predicted") for feature in range(width)]
        yield ["index", "position", *names]
        for index, pair in predictions.items():
            for position, (gold, predicted) in enumerate(zip(*pair, strict=True)):
                yield [str(index), str(position), *(f"{number:.6g}" for number in (*gold, *predicted))]


def _with_text(trainer: L.Trainer, predictions: Mapping[int, tuple[str, str]]) -> Iterator[Sequence[str]]:
    """Rows of source, prediction, its number, reference and line; predictions and their numbers are by index."""
    data, split = text_data(trainer), predicted_split(trainer)
    sources, references = data.sources(split), data.references(split)
    lines = line_numbers(trainer, split, list(predictions))
    for line, (index, (predicted, number)) in zip(lines, predictions.items(), strict=True):
        yield escaped(sources[index]), escaped(predicted), number, escaped(references[index]), str(line)


def write_predictions(trainer: L.Trainer, rows: Iterable[Sequence[str]], output: str | None = None) -> None:
    """Writes a table of predictions.

    Args:
        trainer: Knows the run's directory.
        rows: The cells of each line, the header first; none of them with a tab or a line break.
        output: The file; if not given, ``predictions.tsv`` in the run's directory.

    Raises:
        RunFailed: The file cannot be written, for example on a full disk.
    """
    write_rows(Path(trainer.default_root_dir) / PREDICTIONS if output is None else Path(output), rows)
