"""The errors that a classifier of texts is surest of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import lightning as L

from experiments.callbacks.classification.verdicts import Verdict, VerdictsCallback
from experiments.callbacks.text import class_names, line_numbers, text_data
from experiments.callbacks.text_metrics import EvaluationStage
from experiments.loggers.media import log_table
from experiments.storage.predictions_table import escaped, write_rows
from lightning_modules.sequence_classifier import SequenceClassifier

COLUMNS = ("line", "reference", "hypothesis", "probability", "source")


class WorstErrors(VerdictsCallback):
    """Lists the texts with a wrong label, those first whose wrong label is the most probable.

    The list is ``val-errors.tsv``, and ``test-errors.tsv`` after a test, in the run's directory, and in the loggers
    that show tables, as ``val/errors``: line, label, what was predicted, its probability, the text. Where labels are
    wrong in the data, it is mostly here.

    Args:
        count: The most that are listed.
    """

    def __init__(self, count: int = 50) -> None:
        super().__init__()
        self._count = count

    def report(
        self, trainer: L.Trainer, module: SequenceClassifier, stage: EvaluationStage, verdicts: Mapping[int, Verdict]
    ) -> None:
        """Lists them, on rank zero; see :meth:`VerdictsCallback.report`."""
        data = text_data(trainer)
        if not trainer.is_global_zero:
            return
        wrong = [index for index, each in verdicts.items() if each.predicted != each.label]
        worst = sorted(wrong, key=lambda index: -verdicts[index].probability)[: self._count]
        names, sources = class_names(trainer), data.sources(stage)
        rows = [
            (str(line), names[label], names[predicted], f"{probability:.6f}", escaped(sources[index]))
            for line, index in zip(line_numbers(trainer, stage, worst), worst, strict=True)
            for label, predicted, probability in [verdicts[index]]
        ]
        write_rows(Path(trainer.default_root_dir) / f"{stage}-errors.tsv", [COLUMNS, *rows])
        log_table(trainer, f"{stage}/errors", COLUMNS, rows, trainer.global_step)
