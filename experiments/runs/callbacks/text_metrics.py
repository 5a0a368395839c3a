"""BLEU, chrF and exact match of what a model wrote, against its references."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import lightning as L
from sacrebleu.metrics import BLEU, CHRF

from datamodules.batch import SequenceBatch
from experiments.runs.callbacks.text import gathered, parallel_text
from experiments.storage.durable import durable_write
from lightning_modules.decoding.hypothesis import Hypothesis

Stage = Literal["val", "test"]

SIGNATURES = "signatures.json"
"""In the run's directory: the sacreBLEU signature of each score that has one."""

NGRAM_ORDER = 4
"""Of BLEU, where the references are sentences."""

LONG_ENOUGH = 0.1
"""The share of the references that have to have n tokens, if BLEU is to count n-grams of that length."""


class TextMetrics(L.Callback):
    """Scores the detokenised hypotheses of validation and test against the raw references.

    Logs ``val/bleu``, ``val/chrf`` and ``val/exact_match``, or the same of ``test``, so that checkpoints and early
    stopping can monitor them. The signatures go to ``signatures.json`` and to the loggers, and are printed beside the
    scores of a test. The model's steps return the best :class:`Hypothesis` of each sentence.

    BLEU-4 is 0 for targets of one or two words, however right they are. So BLEU counts n-grams no longer than a tenth
    of the references are; where that is less than four, the signature says it, as ``ngram:1``.

    Args:
        bleu: sacreBLEU's corpus BLEU, 13a, cased; 0 to 100.
        chrf: sacreBLEU's chrF2; 0 to 100.
        exact_match: The share of hypotheses that equal their reference letter by letter; 0 to 1.
    """

    def __init__(self, bleu: bool = True, chrf: bool = True, exact_match: bool = True) -> None:
        self.bleu = bleu
        self.chrf = chrf
        self.exact_match = exact_match
        self._scorers: dict[Stage, dict[str, BLEU | CHRF]] = {}
        self._hypotheses: dict[int, str] = {}
        self._printed: list[str] = []

    def logged_metrics(self) -> set[str]:
        """The metrics that a training logs here."""
        given = {"val/bleu": self.bleu, "val/chrf": self.chrf, "val/exact_match": self.exact_match}
        return {name for name, is_wanted in given.items() if is_wanted}

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
        if stage not in self._scorers:
            self._scorers[stage] = self._scorers_for(corpus)
        for name, scorer in self._scorers[stage].items():
            scores[f"{stage}/{name}"] = scorer.corpus_score(hypotheses, [references]).score
            signature = scorer.get_signature()
            if isinstance(scorer, BLEU) and scorer.max_ngram_order < NGRAM_ORDER:
                signature.update("ngram", scorer.max_ngram_order)
            signatures[f"{stage}/{name}"] = str(signature)
        if self.exact_match:
            equal = sum(hypothesis == reference for hypothesis, reference in zip(hypotheses, references, strict=True))
            scores[f"{stage}/exact_match"] = equal / len(hypotheses)
        for name, score in scores.items():
            # Every rank has the same score: its maximum over the ranks is that score to the last bit.
            module.log(name, score, prog_bar=name == "val/bleu", sync_dist=True, reduce_fx="max")
        self._printed = [f"{name} = {scores[name]:.2f}  [{signature}]" for name, signature in signatures.items()]
        if trainer.is_global_zero:
            _record(trainer, signatures)

    def _scorers_for(self, references: Sequence[str]) -> dict[str, BLEU | CHRF]:
        scorers: dict[str, BLEU | CHRF] = {}
        if self.bleu:
            order = ngram_order(references)
            scorers["bleu"] = BLEU(max_ngram_order=order, effective_order=order < NGRAM_ORDER)
        if self.chrf:
            scorers["chrf"] = CHRF()
        return scorers


def ngram_order(references: Sequence[str]) -> int:
    """The length of the longest n-grams that BLEU can count in references: 1 to :data:`NGRAM_ORDER`.

    Args:
        references: Raw text.
    """
    tokenize = BLEU().tokenizer
    lengths = Counter(min(NGRAM_ORDER, len(tokenize(reference.rstrip()).split())) for reference in references)
    return max(
        (order for order in range(1, NGRAM_ORDER + 1) if _at_least(order, lengths) >= LONG_ENOUGH * lengths.total()),
        default=1,
    )


def _at_least(order: int, lengths: Counter[int]) -> int:
    return sum(count for length, count in lengths.items() if length >= order)


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
