"""Scores of what a model wrote, against its references."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import lightning as L

from datamodules.batch import SequenceBatch
from experiments.callbacks.text import example, gathered, sentence_pairs, written
from experiments.metrics import BLEU, ChrF, CorpusMetric, ExactMatch
from experiments.storage.durable import durable_write
from lightning_modules.decoding.hypothesis import Hypothesis
from lightning_modules.metrics import Scale

EvaluationStage = Literal["val", "test"]

SIGNATURES = "signatures.json"
"""In the run's directory: the sacreBLEU signature of each score that has one."""


class TextMetrics(L.Callback):
    """Scores the detokenised hypotheses of validation and test against the raw references.

    Logs ``val/bleu``, ``val/chrf`` and ``val/exact_match``, or whatever metrics it is given, and the same of ``test``,
    so that checkpoints and early stopping can monitor them. The signatures go to ``signatures.json`` and to the
    loggers, and are printed beside the scores of a test. The model's steps return the best :class:`Hypothesis` of each
    sentence.

    Args:
        metrics: Metrics, as ``[BLEU, ChrF, ExactMatch]``, which are taken if none are given; also ``WordErrorRate``,
            ``SymbolErrorRate``, ``CharacterErrorRate``, of code ``ParsesAsPython`` and ``ParsesAsBash``, of summaries
            ``Rouge1``, ``Rouge2``, ``RougeL``, ``Novelty``, ``CopyRate`` and ``LengthRatio``, of responses
            ``Distinct`` and ``SlotAccuracy``, or a class of one's own.
    """

    def __init__(self, metrics: list[CorpusMetric] | None = None) -> None:
        self.metrics: Sequence[CorpusMetric] = [BLEU(), ChrF(), ExactMatch()] if metrics is None else metrics
        self._of_corpus: dict[EvaluationStage, Sequence[CorpusMetric]] = {}
        self._counts: dict[int, list[Sequence[float]]] = {}
        self._printed: list[str] = []

    def logged_metrics(self) -> set[str]:
        """The metrics that a training logs here."""
        return {f"val/{metric.name}" for metric in self.metrics}

    def metric_scales(self) -> dict[str, Scale]:
        """The units of the metrics that a training logs here, for pictures."""
        return {f"val/{metric.name}": Scale(metric.unit, metric.better) for metric in self.metrics}

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Sequence[Hypothesis],  # type: ignore[override]  # Lightning's is any output
        batch: SequenceBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Counts in the batch's hypotheses."""
        if not trainer.sanity_checking:
            self._count(trainer, outputs, batch, "val")

    def on_test_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Sequence[Hypothesis],  # type: ignore[override]  # Lightning's is any output
        batch: SequenceBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Counts in the batch's hypotheses."""
        self._count(trainer, outputs, batch, "test")

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Scores the validation set."""
        if not trainer.sanity_checking:
            self._score(trainer, pl_module, "val")

    def on_test_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Scores the test set."""
        self._score(trainer, pl_module, "test")

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Prints the scores with their signatures, above Lightning's table."""
        if trainer.is_global_zero:
            for line in self._printed:
                print(line)

    def _count(
        self, trainer: L.Trainer, outputs: Sequence[Hypothesis], batch: SequenceBatch, stage: EvaluationStage
    ) -> None:
        text = sentence_pairs(trainer)
        references = text.references(stage)
        if stage not in self._of_corpus:
            self._of_corpus[stage] = [metric.of_corpus(references) for metric in self.metrics]
        metrics = self._of_corpus[stage]
        asked = {name for metric in metrics for name in metric.annotations}
        for index, hypothesis in zip(batch.index.tolist(), outputs, strict=True):
            told, beside = written(text, stage, index, hypothesis), example(text, stage, index, asked)
            self._counts[index] = [metric.of_example(told, beside) for metric in metrics]

    def _score(self, trainer: L.Trainer, module: L.LightningModule, stage: EvaluationStage) -> None:
        sentences = gathered(self._counts)
        self._counts = {}
        if not sentences:
            return
        if stage not in self._of_corpus:  # a process that had no sentence
            references = sentence_pairs(trainer).references(stage)
            self._of_corpus[stage] = [metric.of_corpus(references) for metric in self.metrics]
        signatures: dict[str, str] = {}
        self._printed = []
        for metric, counts in zip(self._of_corpus[stage], zip(*sentences.values(), strict=True), strict=True):
            name = f"{stage}/{metric.name}"
            score = metric.over(counts)
            # Every rank has the same score: its maximum over the ranks is that score to the last bit.
            module.log(name, score, prog_bar=name == "val/bleu", sync_dist=True, reduce_fx="max")
            if metric.signature is not None:
                signatures[name] = metric.signature
                self._printed.append(f"{name} = {score:.2f}  [{metric.signature}]")
        if trainer.is_global_zero:
            _record(trainer, signatures)


def _record(trainer: L.Trainer, signatures: dict[str, str]) -> None:
    """Adds signatures to the run's file and its loggers, unless they stand there."""
    path = Path(trainer.default_root_dir) / SIGNATURES
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if signatures.items() <= known.items():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with durable_write(path) as file:
        file.write((json.dumps(known | signatures, indent=2) + "\n").encode())
    for logger in trainer.loggers:
        logger.log_hyperparams({"signatures": known | signatures})
