"""How right a model's hypotheses are, by the length of their sources."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import lightning as L

from datamodules.batch import EOS, SequenceBatch
from experiments.callbacks.text import gathered
from experiments.figures.lengths import length_figure
from experiments.loggers.media import log_figure
from lightning_modules.decoding.hypothesis import Hypothesis


class _Outcome(NamedTuple):
    """What became of one sentence: source tokens, target tokens with EOS, and how many of these are in their place."""

    source_length: int
    target_length: int
    hits: int
    equal: bool


class LengthScores(L.Callback):
    """Scores the hypotheses of a test for each length of the source, counted in tokens without EOS.

    Logs ``test/exact_match_length_N``, the share of hypotheses that equal their target id by id, and
    ``test/token_match_length_N``, the share of target tokens, EOS included, that the hypothesis has at the same place.
    Both are of free running: no gold token is fed. A picture is in ``figures/``, and in the loggers that show pictures,
    as ``test/length_scores``. It is meant for data with few lengths, such as ``ReversalDataModule``.
    """

    def __init__(self) -> None:
        self._outcomes: dict[int, _Outcome] = {}

    def on_test_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Sequence[Hypothesis],  # type: ignore[override]  # Lightning's is any output
        batch: SequenceBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Compares the batch's hypotheses with their targets."""
        gold = batch.target_output
        rows = zip(
            batch.index.tolist(),
            (batch.source.lengths - 1).tolist(),
            gold.values.tolist(),
            gold.lengths.tolist(),
            outputs,
            strict=True,
        )
        for index, source_length, padded, target_length, hypothesis in rows:
            target, found = padded[:target_length], [*hypothesis.ids, EOS]
            hits = sum(one == other for one, other in zip(target, found, strict=False))
            self._outcomes[index] = _Outcome(source_length, target_length, hits, target == found)

    def on_test_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Logs the scores, and draws them on rank zero.

        Raises:
            RunFailed: The figure cannot be written, for example on a full disk.
        """
        by_length: defaultdict[int, list[_Outcome]] = defaultdict(list)
        for outcome in gathered(self._outcomes).values():
            by_length[outcome.source_length].append(outcome)
        self._outcomes = {}
        if not by_length:
            return
        groups = sorted(by_length.items())
        scores = {
            "exact_match": {length: sum(one.equal for one in group) / len(group) for length, group in groups},
            "token_match": {
                length: sum(one.hits for one in group) / sum(one.target_length for one in group)
                for length, group in groups
            },
        }
        for name, values in scores.items():
            for length, score in values.items():
                # Every rank has the same score: its maximum over the ranks is that score to the last bit.
                pl_module.log(f"test/{name}_length_{length}", score, sync_dist=True, reduce_fx="max")
        log_figure(trainer, "test/length_scores", length_figure(scores, "Test, by length"), trainer.global_step)
