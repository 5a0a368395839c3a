"""The classifier of sequences of vectors."""

from __future__ import annotations

import math

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor
from torch.nn import functional
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy

from datamodules.batch import LabelledBatch, Padded
from lightning_modules.kernels.dropout import Dropout
from lightning_modules.kernels.linear import Linear
from lightning_modules.layers.checks import check_shares
from lightning_modules.layers.encoder import EncoderFactory, RecurrentEncoder
from lightning_modules.layers.initialisation import initialise
from lightning_modules.layers.pooling import FinalStatePooling, PoolingFactory
from lightning_modules.training.step_loss import StepLossModule


class BiRNNClassifier(StepLossModule):
    """A bidirectional RNN that gives a sequence of vectors one of several classes (Schuster and Paliwal 1997).

    The encoder reads the vectors, the pooling makes one vector of what it says, and a linear layer a score for each
    class. The loss is cross-entropy, which for two classes is the binary one of the difference of their scores: one
    head for any number of classes. Parameters begin from the global seed and their names alone.

    Args:
        source_feature_size: Width of the vectors; linked from the data.
        class_count: Number of classes; linked from the data.
        encoder: Made of (source feature size).
        pooling: Made of (memory size, state size).
        dropout: Dropout on the pooled vector.
        optimizer: Made of (parameters).
        scheduler: Learning-rate schedule made of (optimizer), stepped per update, or as a ``TimedSchedule`` says; none
            for a constant rate.

    Raises:
        UserError: The dropout is outside [0, 1).
    """

    def __init__(
        self,
        source_feature_size: int,
        class_count: int,
        encoder: EncoderFactory = RecurrentEncoder,
        pooling: PoolingFactory = FinalStatePooling,
        dropout: float = 0.0,
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        super().__init__(optimizer, scheduler)
        check_shares(self, dropout=dropout)
        self.save_hyperparameters()
        self.encoder = encoder(source_feature_size)
        self.pooling = pooling(self.encoder.memory_size, self.encoder.state_shape.size)
        self.dropout = Dropout(dropout)
        self.output = Linear(self.pooling.output_size, class_count)
        initialise(self, torch.initial_seed())
        self.val_loss, self.test_loss = MeanMetric(), MeanMetric()
        self.val_accuracy = MulticlassAccuracy(class_count, average="micro")
        self.test_accuracy = MulticlassAccuracy(class_count, average="micro")

    def forward(self, source: Padded) -> Tensor:
        """Classifies.

        Args:
            source: ``(batch, source_len, source_feature_size)``, at least one sequence, none of them empty.

        Returns:
            ``(batch, class_count)``, the logits.
        """
        memory, state = self.encoder(source.values, source.lengths)
        return self.output(self.dropout(self.pooling(memory, state, source.mask)))

    def logged_metrics(self) -> set[str]:
        """The metrics that a training logs here."""
        return super().logged_metrics() | {"train/loss", "val/loss", "val/accuracy"}

    def chance_loss(self, batch: LabelledBatch) -> float:  # type: ignore[override]  # its batches alone
        """That of a uniform guess among all classes, in nats."""
        return math.log(self.output.out_features)

    def training_step(self, batch: LabelledBatch, batch_idx: int) -> Tensor:
        """The summed loss of a batch; logs ``train/loss`` per sequence."""
        if not len(batch):
            return self.scaled_loss(self.zero_loss(), 0, batch.index)
        loss = functional.cross_entropy(self(batch.source), batch.label, reduction="sum")
        self.log("train/loss", loss.detach() / len(batch), prog_bar=True, batch_size=len(batch))
        return self.scaled_loss(loss, len(batch), batch.index)

    def validation_step(self, batch: LabelledBatch, batch_idx: int) -> None:
        """Adds a batch to ``val/loss`` and ``val/accuracy``."""
        self._evaluate(batch, self.val_loss, self.val_accuracy)

    def test_step(self, batch: LabelledBatch, batch_idx: int) -> None:
        """Adds a batch to ``test/loss`` and ``test/accuracy``."""
        self._evaluate(batch, self.test_loss, self.test_accuracy)

    def predict_step(self, batch: LabelledBatch, batch_idx: int) -> Tensor:
        """The probability of each class, ``(batch, class_count)``, in the batch's order."""
        if not len(batch):
            return torch.empty(0, self.output.out_features, device=self.device)
        return self(batch.source).softmax(dim=-1)

    def on_validation_epoch_end(self) -> None:
        """Logs ``val/loss`` and ``val/accuracy``."""
        self._log_scores("val", self.val_loss, self.val_accuracy)

    def on_test_epoch_end(self) -> None:
        """Logs ``test/loss`` and ``test/accuracy``."""
        self._log_scores("test", self.test_loss, self.test_accuracy)

    def _evaluate(self, batch: LabelledBatch, mean_loss: MeanMetric, accuracy: MulticlassAccuracy) -> None:
        if not len(batch):
            return
        logits = self(batch.source)
        losses = functional.cross_entropy(logits, batch.label, reduction="none")
        self.check_evaluation(losses.sum(), batch.index)
        mean_loss.update(losses)
        accuracy.update(logits, batch.label)

    def _log_scores(self, stage: str, mean_loss: MeanMetric, accuracy: MulticlassAccuracy) -> None:
        for name, metric in (("loss", mean_loss), ("accuracy", accuracy)):
            # Every rank has the same score: its maximum over the ranks is that score to the last bit.
            self.log(f"{stage}/{name}", metric.compute(), prog_bar=True, sync_dist=True, reduce_fx="max")
            metric.reset()
