"""What a model predicts, as a table on disk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import lightning as L

from datamodules.batch import SequenceBatch
from experiments.runs.callbacks.text import gathered, parallel_text, written
from experiments.storage.durable import durable_write
from lightning_modules.decoding.hypothesis import Hypothesis

PREDICTIONS = "predictions.tsv"

COLUMNS = ("source", "hypothesis", "score")

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
        data = parallel_text(trainer)
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
        sources = parallel_text(trainer).sources("test")
        rows = [
            (sources[index].translate(_ESCAPES), hypothesis.translate(_ESCAPES), f"{score:.6f}")
            for index, (hypothesis, score) in predictions.items()
        ]
        write_predictions(trainer, [COLUMNS, *rows])


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
