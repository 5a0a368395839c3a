"""How right the symbols of each kind are: the notes of each voice, the chords of a tune."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, cast

import lightning as L
import torch
from torch import Tensor

from datamodules.batch import SequenceBatch
from datamodules.errors import UserError
from datamodules.music.tasks.symbol_kinds import SymbolKinds
from experiments.callbacks.evaluation_statistics import EvaluationStatistics, log_scores
from experiments.callbacks.text_metrics import EvaluationStage
from lightning_modules.forcing import Constant, ScheduledSampling
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder

FREE_RUNNING = ScheduledSampling(Constant(0.0))

ALL = "symbols"
"""What is logged of all kinds together."""

_SUMS = ("symbols", "right", "right_free_running", "nll", "with_one_before", "same_as_before")

_Counts = Mapping[str, Sequence[float]]
"""For each kind the sums of a sentence, as :data:`_SUMS` names them."""


class KindsOfSymbols(Protocol):
    """A data module that tells what its target's symbols stand for."""

    def symbol_kinds(self) -> SymbolKinds:
        """See :class:`SymbolKinds`."""


class SymbolScores(EvaluationStatistics[_Counts]):
    """Scores the target's symbols of each kind, symbol by symbol at their places.

    For data whose module tells what its symbols stand for, as ``MusicDataModule`` does: the voice of a note, or a
    chord. Logged are in validation and in test, for each kind, and as ``symbols`` for all together:

    - ``KIND_accuracy``, the share that is predicted right after the gold symbols before it; a note is right where it is
      struck or held alike;
    - ``KIND_accuracy_free_running``, the same after the model's own most probable symbols;
    - ``KIND_nll``, the mean negative log-probability of the gold symbol after the gold ones, in nats;
    - ``KIND_copied``, what holding the symbol of the same kind before it reaches, gold history given: the baseline of
      ``KIND_accuracy``.
    """

    def logged_metrics(self) -> set[str]:
        """The metrics that a training logs here whatever its data; the kinds come of these."""
        return {f"val/{ALL}_{name}" for name in ("accuracy", "accuracy_free_running", "nll", "copied")}

    def measured(self, trainer: L.Trainer, module: TokenEncoderDecoder, batch: SequenceBatch) -> Sequence[_Counts]:
        """The sums of each sentence; see :meth:`EvaluationStatistics.measured`."""
        kinds = _kinds_of(trainer)
        scores, predicted = module.outcomes(batch, *module(batch))
        _, own = module.outcomes(batch, *module.forced(batch, FREE_RUNNING, ratio=0.0)[:2])
        target = batch.target_output
        lengths = target.lengths.tolist()
        rows = zip(
            *(each.cpu().split(lengths) for each in (target.real(target.values), predicted, own, -scores)),
            strict=True,
        )
        return [_counts(kinds, *row) for row in rows]

    def report(
        self, trainer: L.Trainer, module: L.LightningModule, stage: EvaluationStage, sentences: Sequence[_Counts]
    ) -> None:
        """Logs the means; see :meth:`EvaluationStatistics.report`."""
        sums: dict[str, list[float]] = {}
        for sentence in sentences:
            for kind, counts in sentence.items():
                sums[kind] = [
                    one + other for one, other in zip(sums.get(kind, [0.0] * len(_SUMS)), counts, strict=True)
                ]
        sums[ALL] = [sum(each) for each in zip(*sums.values(), strict=True)]
        for kind, counts in sums.items():
            log_scores(module, stage, _scores(kind, dict(zip(_SUMS, counts, strict=True))))


def _scores(kind: str, sums: Mapping[str, float]) -> dict[str, float]:
    found = {
        f"{kind}_accuracy": sums["right"] / sums["symbols"],
        f"{kind}_accuracy_free_running": sums["right_free_running"] / sums["symbols"],
        f"{kind}_nll": sums["nll"] / sums["symbols"],
    }
    return found | (
        {f"{kind}_copied": sums["same_as_before"] / sums["with_one_before"]} if sums["with_one_before"] else {}
    )


def _counts(kinds: SymbolKinds, gold: Tensor, predicted: Tensor, own: Tensor, nll: Tensor) -> _Counts:
    """The sums of one sentence; all tensors ``(target_len,)``."""
    value, kind = kinds.value, kinds.kind
    counted: dict[str, Sequence[float]] = {}
    for number in kind[gold].unique().tolist():
        if number < 0:
            continue
        at = kind[gold] == number
        right = value[gold[at]]
        before = right[1:] == right[:-1]
        sums = (
            len(right),
            (value[predicted[at]] == right).sum().item(),
            (value[own[at]] == right).sum().item(),
            nll[at].sum(dtype=torch.float64).item(),
            len(before),
            before.sum().item(),
        )
        counted[kinds.names[number]] = sums
    return counted


def _kinds_of(trainer: L.Trainer) -> SymbolKinds:
    data = getattr(trainer, "datamodule", None)
    if not hasattr(type(data), "symbol_kinds"):
        raise UserError(
            f"SymbolScores needs a data module that tells kinds of symbols, as MusicDataModule, not "
            f"{type(data).__name__}: take it out of trainer.callbacks"
        )
    return cast(KindsOfSymbols, data).symbol_kinds()
