"""What a callback does that measures an encoder-decoder in validation and in test, beside the model's own metrics."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

import lightning as L
import torch

from datamodules.batch import SequenceBatch
from datamodules.errors import UserError
from experiments.callbacks.text import gathered
from experiments.callbacks.text_metrics import EvaluationStage
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder

Seen = TypeVar("Seen")


class EvaluationStatistics(L.Callback, ABC, Generic[Seen]):
    """Keeps what a subclass measures of each sentence, of all processes once, and lets it report on the whole set."""

    def __init__(self) -> None:
        self._sentences: dict[int, Seen] = {}

    def chosen(self, batch: SequenceBatch) -> SequenceBatch:
        """The sentences of a batch that are measured: all, unless a subclass measures some alone.

        Args:
            batch: Source and target.
        """
        return batch

    @abstractmethod
    def measured(self, trainer: L.Trainer, module: TokenEncoderDecoder, batch: SequenceBatch) -> Sequence[Seen]:
        """Measures a batch of at least one sentence, without gradients.

        Args:
            trainer: Has the data module.
            module: The model, in evaluation mode.
            batch: Source and target.

        Returns:
            One measurement for each sentence, in the batch's order; nothing where there is nothing to measure.
        """

    @abstractmethod
    def report(
        self, trainer: L.Trainer, module: L.LightningModule, stage: EvaluationStage, sentences: Sequence[Seen]
    ) -> None:
        """Logs what was measured.

        Args:
            trainer: Knows the run's directory and its loggers.
            module: The model.
            stage: Stage of the evaluation, ``val`` or ``test``.
            sentences: At least one measurement, in the corpus's order, the same on every rank.
        """

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
            self._keep(trainer, pl_module, batch)

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
        self._keep(trainer, pl_module, batch)

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Reports on the validation set."""
        self._close(trainer, pl_module, "val")

    def on_test_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Reports on the test set."""
        self._close(trainer, pl_module, "test")

    @torch.no_grad()
    def _keep(self, trainer: L.Trainer, module: L.LightningModule, batch: SequenceBatch) -> None:
        if not isinstance(module, TokenEncoderDecoder):
            name = type(self).__name__
            raise UserError(f"{name} measures encoder-decoders, not a {type(module).__name__}: leave it out")
        batch = self.chosen(batch)
        if len(batch):
            # Where there is nothing to measure, there is nothing to keep.
            self._sentences.update(zip(batch.index.tolist(), self.measured(trainer, module, batch), strict=False))

    def _close(self, trainer: L.Trainer, module: L.LightningModule, stage: EvaluationStage) -> None:
        sentences = list(gathered(self._sentences).values())
        self._sentences = {}
        if sentences:
            self.report(trainer, module, stage, sentences)


def log_scores(module: L.LightningModule, stage: EvaluationStage, scores: Mapping[str, float]) -> None:
    """Logs scores that every rank has made of all sentences.

    Args:
        module: Logs them.
        stage: Their names begin with it.
        scores: By name.
    """
    for name, score in scores.items():
        # Every rank has the same score: its maximum over the ranks is that score to the last bit.
        module.log(f"{stage}/{name}", score, sync_dist=True, reduce_fx="max")
