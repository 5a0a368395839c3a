"""How sharp a model's attention is, and whether it looks where the answer stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import lightning as L
import torch

from datamodules.batch import SequenceBatch
from datamodules.errors import UserError
from experiments.runs.callbacks.text_access import gathered
from experiments.runs.callbacks.text_metrics import Stage
from lightning_modules.encoder_decoder import EncoderDecoder


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


class AttentionStatistics(L.Callback):
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

    def __init__(self) -> None:
        self._sentences: dict[int, _Sentence] = {}

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: object,
        batch: SequenceBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Measures a batch."""
        if not trainer.sanity_checking:
            self._measure(trainer, pl_module, batch)

    def on_test_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: object,
        batch: SequenceBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Measures a batch."""
        self._measure(trainer, pl_module, batch)

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Logs the validation set."""
        self._report(pl_module, "val")

    def on_test_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Logs the test set."""
        self._report(pl_module, "test")

    @torch.no_grad()
    def _measure(self, trainer: L.Trainer, module: L.LightningModule, batch: SequenceBatch) -> None:
        if not isinstance(module, EncoderDecoder):
            raise UserError(
                f"AttentionStatistics measures encoder-decoders, not a {type(module).__name__}: leave it out"
            )
        if not len(batch):
            return
        weights = module(batch)[1].cpu().double()  # on the CPU: MPS has no double precision
        if not weights.shape[1]:
            return
        within = batch.target_output.mask.cpu()
        lengths = batch.source.lengths.cpu()
        sources = batch.source.values.tolist()
        share = lengths.reciprocal()[:, None, None]
        entropies, largest, variances = (
            (by_token.mean(dim=1) * within).sum(dim=1).tolist()
            for by_token in (
                torch.special.entr(weights).sum(dim=-1),
                weights.amax(dim=-1),
                weights.square().sum(dim=-1) * share - share.square(),
            )
        )
        peaks = weights.mean(dim=1).argmax(dim=-1).tolist()
        tokens = within.sum(dim=1).tolist()
        data = trainer.datamodule  # type: ignore[attr-defined]
        for row, (index, length) in enumerate(zip(batch.index.tolist(), lengths.tolist(), strict=True)):
            source = sources[row][: length - 1]
            origins = (data.origins(source) if isinstance(data, AlignedData) else None) or ()
            right = sum(peak == origin for peak, origin in zip(peaks[row], origins, strict=False))
            self._sentences[index] = _Sentence(
                tokens[row], entropies[row], largest[row], variances[row], len(origins), right
            )

    def _report(self, module: L.LightningModule, stage: Stage) -> None:
        sentences = gathered(self._sentences).values()
        self._sentences = {}
        if not sentences:
            return
        tokens = sum(each.tokens for each in sentences)
        scores = {
            "attention_entropy": sum(each.entropy for each in sentences) / tokens,
            "attention_max": sum(each.largest for each in sentences) / tokens,
            "attention_variance": sum(each.variance for each in sentences) / tokens,
        }
        if aligned := sum(each.aligned for each in sentences):
            scores["attention_peak_right"] = sum(each.right for each in sentences) / aligned
        for name, score in scores.items():
            # Every rank has the same score: its maximum over the ranks is that score to the last bit.
            module.log(f"{stage}/{name}", score, sync_dist=True, reduce_fx="max")
