"""How sharp a model's attention is, and whether it looks where the answer stands."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol, runtime_checkable

import lightning as L
import torch

from datamodules.batch import SequenceBatch
from experiments.callbacks.evaluation_statistics import EvaluationStatistics, log_scores
from experiments.callbacks.text_metrics import EvaluationStage
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder


@runtime_checkable
class AlignedData(Protocol):
    """A data module that knows which source token a target token was made from."""

    def origins(self, source: Sequence[int]) -> Sequence[int] | None:
        """For each target token, EOS left out, the position of its source token; None where there is no such one.

        Args:
            source: Ids, without EOS.
        """


class _Sentence(NamedTuple):
    """Sums over the target tokens of a sentence.

    Attributes:
        tokens: How many there are, with EOS.
        entropy: Of their weights.
        largest: Of their weights.
        variance: Of their weights.
        aligned: How many have a source token that the peak can be on.
        right: At how many it is there.
        moves: From one token to the next, EOS left out.
        onward: Of these, those at which the peak does not go back.
    """

    tokens: int
    entropy: float
    largest: float
    variance: float
    aligned: int
    right: int
    moves: int
    onward: int


class AttentionStatistics(EvaluationStatistics[_Sentence]):
    """Measures the weights of a model's attention under teacher forcing, in validation and in test.

    The weights of a head at a target token, over the tokens of the source with EOS, are one distribution. Logged are,
    for a stage, means over all heads and target tokens, EOS included:

    - ``attention_entropy``, in nats: 0 where all weight is on one source token, ``log(source_len)`` where it is even;
    - ``attention_max``, the largest weight;
    - ``attention_variance``, of the weights over the source tokens;
    - ``attention_monotony``: of the moves from one target token to the next, EOS left out, the share at which the
      largest weight, heads averaged, does not go back in the source. 1 where both sides run alike, as letters and
      their sounds do.

    Where the data module knows which source token a target token was made from, as ``ReversalDataModule`` does, also
    ``attention_peak_right``, the share of target tokens, EOS left out, at which the largest weight, heads averaged,
    is on that source token. A model without attention has none of them.
    """

    def logged_metrics(self) -> set[str]:
        """The metrics that a training logs here, the last one where the data know it."""
        kinds = ("entropy", "max", "variance", "monotony", "peak_right")
        return {f"val/attention_{kind}" for kind in kinds}

    def measured(self, trainer: L.Trainer, module: TokenEncoderDecoder, batch: SequenceBatch) -> Sequence[_Sentence]:
        """The sums of each sentence; see :meth:`EvaluationStatistics.measured`."""
        weights = module(batch)[1].cpu().double()  # on the CPU: MPS has no double precision
        if not weights.shape[1]:
            return []
        within = batch.target_output.mask.cpu()
        lengths = batch.source.lengths.cpu()
        share = lengths.double().reciprocal()[:, None, None]
        sums = [
            (by_token.mean(dim=1) * within).sum(dim=1).tolist()
            for by_token in (
                torch.special.entr(weights).sum(dim=-1),
                weights.amax(dim=-1),
                weights.square().sum(dim=-1) * share - share.square(),
            )
        ]
        peaks = weights.mean(dim=1).argmax(dim=-1).tolist()
        data = getattr(trainer, "datamodule", None)
        sources = zip(batch.source.values.tolist(), lengths.tolist(), strict=True)
        all_origins = [
            (data.origins(source[: length - 1]) if isinstance(data, AlignedData) else None) or ()
            for source, length in sources
        ]
        aligned = [len(origins) for origins in all_origins]
        right = [
            sum(peak == origin for peak, origin in zip(found, origins, strict=False))
            for found, origins in zip(peaks, all_origins, strict=True)
        ]
        tokens = within.sum(dim=1).tolist()
        moves = [list(pairwise(found[: count - 1])) for found, count in zip(peaks, tokens, strict=True)]
        counts = [len(each) for each in moves]
        onward = [sum(before <= after for before, after in each) for each in moves]
        rows = zip(tokens, *sums, aligned, right, counts, onward, strict=True)
        return [_Sentence(*row) for row in rows]

    def report(
        self, trainer: L.Trainer, module: L.LightningModule, stage: EvaluationStage, sentences: Sequence[_Sentence]
    ) -> None:
        """Logs the means; see :meth:`EvaluationStatistics.report`."""
        tokens = sum(each.tokens for each in sentences)
        scores = {
            "attention_entropy": sum(each.entropy for each in sentences) / tokens,
            "attention_max": sum(each.largest for each in sentences) / tokens,
            "attention_variance": sum(each.variance for each in sentences) / tokens,
        }
        if aligned := sum(each.aligned for each in sentences):
            scores["attention_peak_right"] = sum(each.right for each in sentences) / aligned
        if moves := sum(each.moves for each in sentences):
            scores["attention_monotony"] = sum(each.onward for each in sentences) / moves
        log_scores(module, stage, scores)
