"""How sharp a model's attention is, and whether it looks where the answer stands."""

from __future__ import annotations

from collections.abc import Sequence
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
    """Sums over the target tokens of a sentence, and how many of them have a source token that the peak can be on."""

    tokens: int
    entropy: float
    largest: float
    variance: float
    aligned: int
    right: int


class AttentionStatistics(EvaluationStatistics[_Sentence]):
    """Measures the weights of a model's attention under teacher forcing, in validation and in test.

    The weights of a head at a target token, over the tokens of the source with EOS, are one distribution. Logged are,
    for a stage, means over all heads and target tokens, EOS included:

    - ``attention_entropy``, in nats: 0 where all weight is on one source token, ``log(source_len)`` where it is even;
    - ``attention_max``, the largest weight;
    - ``attention_variance``, of the weights over the source tokens.

    Where the data module knows which source token a target token was made from, as ``ReversalDataModule`` does, also
    ``attention_peak_right``, the share of target tokens, EOS left out, at which the largest weight, heads averaged,
    is on that source token. A model without attention has none of them.
    """

    def logged_metrics(self) -> set[str]:
        """The metrics that a training logs here, the last one where the data know it."""
        return {"val/attention_entropy", "val/attention_max", "val/attention_variance", "val/attention_peak_right"}

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
        return [_Sentence(*row) for row in zip(within.sum(dim=1).tolist(), *sums, aligned, right, strict=True)]

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
        log_scores(module, stage, scores)
