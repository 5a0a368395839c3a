"""Exposure bias, measured: the same weights and sentences after gold history and after the model's own."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from itertools import islice, takewhile, zip_longest
from pathlib import Path
from typing import NamedTuple

import lightning as L
from torch import Tensor

from datamodules.batch import EOS, SequenceBatch
from experiments.callbacks.evaluation_statistics import EvaluationStatistics, log_scores
from experiments.callbacks.text_metrics import EvaluationStage
from experiments.figures.exposure import exposure_figure
from experiments.loggers.media import log_figure
from experiments.storage.durable import durable_write
from lightning_modules.forcing import Constant, ScheduledSampling
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder

COLUMNS = ("step", "position", "sentences", "accuracy", "accuracy_free_running", "loss", "loss_free_running")
FREE_RUNNING = ScheduledSampling(Constant(0.0))


class _Outcome(NamedTuple):
    """One gold token: its negative log-probability, whether it was the most probable one, and the one that was."""

    nll: float
    right: bool
    predicted: int


class _Sentence(NamedTuple):
    """The outcomes at the gold positions of a sentence after gold and after own history, and the edits of each."""

    gold: list[_Outcome]
    own: list[_Outcome]
    gold_edits: int
    own_edits: int


class ExposureBias(EvaluationStatistics[_Sentence]):
    """Measures how much a model loses when it goes on from its own tokens (Ranzato et al. 2016).

    Under teacher forcing each token is predicted after the gold tokens before it. Free running, it is predicted after
    the model's own most probable ones, over exactly the gold positions, without a stop at EOS. Both are measured in
    validation and in test, on the same weights and sentences. Logged are, for a stage:

    - ``loss_free_running``, the mean negative log-probability of the gold token in nats, and ``exposure_gap``, that
      minus the loss after gold history;
    - ``accuracy_free_running``, the share of gold tokens predicted right;
    - ``edit_rate`` and ``edit_rate_free_running``, after gold and after own history: the insertions, deletions and
      substitutions (Levenshtein 1966) that make the gold tokens of what was predicted up to its first EOS, for each
      gold token;
    - ``first_error``, the mean position of the first wrong token, from 1, over the sentences that have one. It is the
      same after either history: up to there they are equal.

    Each by position is in ``exposure_val.csv`` or ``exposure_test.csv`` in the run's directory, and in ``figures/``.
    """

    def logged_metrics(self) -> set[str]:
        """The metrics that a training logs here, ``val/first_error`` where there is one."""
        free = {"val/loss_free_running", "val/accuracy_free_running", "val/edit_rate_free_running"}
        return free | {"val/exposure_gap", "val/edit_rate", "val/first_error"}

    def measured(self, trainer: L.Trainer, module: TokenEncoderDecoder, batch: SequenceBatch) -> Sequence[_Sentence]:
        """The outcomes of each sentence; see :meth:`EvaluationStatistics.measured`."""
        targets = [
            row[:length]
            for row, length in zip(
                batch.target_output.values.tolist(), batch.target_output.lengths.tolist(), strict=True
            )
        ]
        after_gold = _by_sentence(*module.outcomes(batch, *module(batch)), targets)
        after_own = _by_sentence(*module.outcomes(batch, *module.forced(batch, FREE_RUNNING, ratio=0.0)[:2]), targets)
        return [
            _Sentence(gold, own, _edits(gold, target), _edits(own, target))
            for target, gold, own in zip(targets, after_gold, after_own, strict=True)
        ]

    def report(
        self, trainer: L.Trainer, module: L.LightningModule, stage: EvaluationStage, sentences: Sequence[_Sentence]
    ) -> None:
        """Logs, draws and writes what was measured.

        Raises:
            RunFailed: A file cannot be written, for example on a full disk.
        """
        loss, _ = _means([one for sentence in sentences for one in sentence.gold])
        tokens = max(1, sum(len(sentence.gold) - 1 for sentence in sentences))  # without EOS
        own_loss, own_accuracy = _means([one for sentence in sentences for one in sentence.own])
        first_errors = [
            position for sentence in sentences if (position := _first_error(sentence.gold)) <= len(sentence.gold)
        ]
        scores = {
            "loss_free_running": own_loss,
            "exposure_gap": own_loss - loss,
            "accuracy_free_running": own_accuracy,
            "edit_rate": sum(sentence.gold_edits for sentence in sentences) / tokens,
            "edit_rate_free_running": sum(sentence.own_edits for sentence in sentences) / tokens,
        }
        if first_errors:
            scores["first_error"] = sum(first_errors) / len(first_errors)
        log_scores(module, stage, scores)
        by_position = [
            (len(here), _means([gold for gold, _ in here]), _means([own for _, own in here]))
            for column in zip_longest(*(zip(sentence.gold, sentence.own, strict=True) for sentence in sentences))
            for here in [[pair for pair in column if pair is not None]]
        ]
        figure = exposure_figure(
            [count for count, _, _ in by_position],
            ([gold[1] for _, gold, _ in by_position], [own[1] for _, _, own in by_position]),
            ([gold[0] for _, gold, _ in by_position], [own[0] for _, _, own in by_position]),
            f"Exposure bias ({stage}, step {trainer.global_step:,})",
        )
        log_figure(trainer, f"{stage}/exposure", figure, trainer.global_step)
        if trainer.is_global_zero:
            rows = [
                (trainer.global_step, position, count, gold[1], own[1], gold[0], own[0])
                for position, (count, gold, own) in enumerate(by_position, start=1)
            ]
            _write(Path(trainer.default_root_dir) / f"exposure_{stage}.csv", trainer.global_step, rows)


def _by_sentence(scores: Tensor, predicted: Tensor, targets: list[list[int]]) -> list[list[_Outcome]]:
    """The outcomes of each sentence, given those of all real positions, row by row."""
    rows = zip((-scores).tolist(), predicted.tolist(), strict=True)
    return [
        [
            _Outcome(nll, guess == gold, guess)
            for gold, (nll, guess) in zip(target, islice(rows, len(target)), strict=True)
        ]
        for target in targets
    ]


def _edits(outcomes: list[_Outcome], target: list[int]) -> int:
    """The edits between what was predicted, up to its first EOS, and the target, without its EOS."""
    from rapidfuzz.distance import Levenshtein

    predicted = list(takewhile(lambda token: token != EOS, (outcome.predicted for outcome in outcomes)))
    return int(Levenshtein.distance(predicted, target[:-1]))


def _means(outcomes: list[_Outcome]) -> tuple[float, float]:
    """Mean loss and accuracy."""
    return sum(one.nll for one in outcomes) / len(outcomes), sum(one.right for one in outcomes) / len(outcomes)


def _first_error(outcomes: list[_Outcome]) -> int:
    """The position of the first wrong token, from 1; one beyond the end where there is none."""
    return next((place for place, one in enumerate(outcomes, start=1) if not one.right), len(outcomes) + 1)


def _write(path: Path, step: int, rows: Sequence[tuple[float, ...]]) -> None:
    """Adds the rows of a step to a table, in place of what it had of that step and later ones."""
    kept: list[list[str]] = []
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            kept = [row for row in list(csv.reader(file))[1:] if int(row[0]) < step]
    lines = [",".join(map(str, row)) for row in (COLUMNS, *kept, *rows)]
    with durable_write(path) as table:
        table.write(("\n".join(lines) + "\n").encode())
