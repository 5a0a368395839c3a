"""BLEU, chrF and exact match of what a model wrote, against its references."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import lightning as L
from sacrebleu.metrics import BLEU, CHRF

from datamodules.batch import SequenceBatch
from experiments.runs.callbacks.text_access import gathered, parallel_text
from experiments.runs.durable import durable_write
from lightning_modules.decoding.hypothesis import Hypothesis

Stage = Literal["val", "test"]

SIGNATURES = "signatures.json"
"""In the run's directory: the sacreBLEU signature of each score that has one."""


class TextMetrics(L.Callback):
    """Scores the detokenised hypotheses of validation and test against the raw references.

    Logs ``val/bleu``, ``val/chrf`` and ``val/exact_match``, or the same of ``test``, so that checkpoints and early
    stopping can monitor them. The signatures go to ``signatures.json`` and to the loggers, and are printed beside the
    scores of a test. The model's steps return the best :class:`Hypothesis` of each sentence.

    Args:
        bleu: sacreBLEU's corpus BLEU, 13a, cased; 0 to 100.
        chrf: sacreBLEU's chrF2; 0 to 100.
        exact_match: The share of hypotheses that equal their reference letter by letter; 0 to 1.
    """

    def __init__(self, bleu: bool = True, chrf: bool = True, exact_match: bool = True) -> None:
        self.exact_match = exact_match
        self._scorers: dict[str, BLEU | CHRF] = {}
        if bleu:
            self._scorers["bleu"] = BLEU()
        if chrf:
            self._scorers["chrf"] = CHRF()
        self._hypotheses: dict[int, str] = {}
        self._printed: list[str] = []

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Sequence[Hypothesis],  # type: ignore[override]
        batch: SequenceBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keeps the text of the batch's hypotheses."""
        if not trainer.sanity_checking:
            self._collect(trainer, outputs, batch)

    def on_test_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Sequence[Hypothesis],  # type: ignore[override]
        batch: SequenceBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keeps the text of the batch's hypotheses."""
        self._collect(trainer, outputs, batch)

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

    def _collect(self, trainer: L.Trainer, outputs: Sequence[Hypothesis], batch: SequenceBatch) -> None:
        decode = parallel_text(trainer).target_tokenizer.decode
        for index, hypothesis in zip(batch.index.tolist(), outputs, strict=True):
            self._hypotheses[index] = decode(hypothesis.ids)

    def _score(self, trainer: L.Trainer, module: L.LightningModule, stage: Stage) -> None:
        texts = gathered(self._hypotheses)
        self._hypotheses = {}
        if not texts:
            return
        corpus = parallel_text(trainer).references(stage)
        hypotheses, references = list(texts.values()), [corpus[index] for index in texts]
        scores: dict[str, float] = {}
        signatures: dict[str, str] = {}
        for name, scorer in self._scorers.items():
            scores[f"{stage}/{name}"] = scorer.corpus_score(hypotheses, [references]).score
            signatures[f"{stage}/{name}"] = str(scorer.get_signature())
        if self.exact_match:
            equal = sum(hypothesis == reference for hypothesis, reference in zip(hypotheses, references, strict=True))
            scores[f"{stage}/exact_match"] = equal / len(hypotheses)
        for name, score in scores.items():
            # Every rank has the same score: its maximum over the ranks is that score to the last bit.
            module.log(name, score, prog_bar=name == "val/bleu", sync_dist=True, reduce_fx="max")
        self._printed = [f"{name} = {scores[name]:.2f}  [{signature}]" for name, signature in signatures.items()]
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
