"""What every classifier of sequences is: an encoder, a pooling and a linear layer behind an input part."""

from __future__ import annotations

import math

from torch import Tensor, empty, nn
from torch.nn import functional
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy

from datamodules.batch import LabelledBatch, Padded
from datamodules.errors import UserError
from lightning_modules.kernels.dropout import Dropout
from lightning_modules.kernels.linear import Linear
from lightning_modules.layers.checks import check_shares
from lightning_modules.layers.encoder import EncoderFactory
from lightning_modules.layers.pooling import AttentionPooling, PoolingFactory
from lightning_modules.training.module import LRSchedulerCallable, OptimizerCallable
from lightning_modules.training.step_loss import StepLossModule


class SequenceClassifier(StepLossModule):
    """Sequences to one of several classes each; a subclass makes the input part and connects the others to it.

    The encoder reads what the input part makes of a sequence, the pooling makes one vector of what the encoder says,
    and a linear layer a score for each class. The loss is cross-entropy, which for two classes is the binary one of the
    difference of their scores: one head for any number of classes.

    Args:
        optimizer: Made of (parameters).
        scheduler: Learning-rate schedule made of (optimizer), stepped per update, or as a ``TimedSchedule`` says; none
            for a constant rate.
        class_count: Number of classes.
        dropout: Dropout on the pooled vector.

    Attributes:
        source_embedding: Source values as the encoder's inputs.

    Raises:
        UserError: The dropout is outside [0, 1).
    """

    source_embedding: nn.Module

    def __init__(
        self,
        optimizer: OptimizerCallable,
        scheduler: LRSchedulerCallable | None,
        class_count: int,
        dropout: float,
    ) -> None:
        super().__init__(optimizer, scheduler)
        check_shares(self, dropout=dropout)
        self.dropout = Dropout(dropout)
        self.val_loss, self.test_loss = MeanMetric(), MeanMetric()
        self.val_accuracy = MulticlassAccuracy(class_count, average="micro")
        self.test_accuracy = MulticlassAccuracy(class_count, average="micro")

    def connect(self, encoder: EncoderFactory, pooling: PoolingFactory, input_size: int, class_count: int) -> None:
        """Makes encoder, pooling and output, each of the sizes of those before.

        Args:
            encoder: Made of (input size).
            pooling: Made of (memory size, state size).
            input_size: Width of what the input part makes.
            class_count: Number of classes.
        """
        self.encoder = encoder(input_size)
        self.pooling = pooling(self.encoder.memory_size, self.encoder.state_shape.size)
        self.output = Linear(self.pooling.output_size, class_count)

    def forward(self, source: Padded) -> Tensor:
        """Classifies.

        Args:
            source: ``(batch, source_len, ...)``, at least one sequence, none of them empty.

        Returns:
            ``(batch, class_count)``, the logits.
        """
        memory, state = self.encoder(self.source_embedding(source.values), source.lengths)
        return self.output(self.dropout(self.pooling(memory, state, source.mask)))

    def attend(self, source: Padded) -> Tensor:
        """How much each position counts in the pooled vector.

        Args:
            source: As that of :meth:`forward`.

        Returns:
            ``(batch, source_len)``: 0 on padding, each row sums to 1.

        Raises:
            UserError: The pooling has no weights.
        """
        if not isinstance(self.pooling, AttentionPooling):
            name = type(self.pooling).__name__
            raise UserError(f"{name} weighs no positions: set model.init_args.pooling to AttentionPooling")
        memory, _ = self.encoder(self.source_embedding(source.values), source.lengths)
        return self.pooling.weights(memory, source.mask)

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

    def validation_step(self, batch: LabelledBatch, batch_idx: int) -> Tensor:
        """Adds a batch to ``val/loss`` and ``val/accuracy``; returns what :meth:`predict_step` does."""
        return self._evaluate(batch, self.val_loss, self.val_accuracy)

    def test_step(self, batch: LabelledBatch, batch_idx: int) -> Tensor:
        """Adds a batch to ``test/loss`` and ``test/accuracy``; returns what :meth:`predict_step` does."""
        return self._evaluate(batch, self.test_loss, self.test_accuracy)

    def predict_step(self, batch: LabelledBatch, batch_idx: int) -> Tensor:
        """The probability of each class, ``(batch, class_count)``, in the batch's order."""
        if not len(batch):
            return self._of_nothing()
        return self(batch.source).softmax(dim=-1)

    def on_validation_epoch_end(self) -> None:
        """Logs ``val/loss`` and ``val/accuracy``."""
        self._log_scores("val", self.val_loss, self.val_accuracy)

    def on_test_epoch_end(self) -> None:
        """Logs ``test/loss`` and ``test/accuracy``."""
        self._log_scores("test", self.test_loss, self.test_accuracy)

    def _evaluate(self, batch: LabelledBatch, mean_loss: MeanMetric, accuracy: MulticlassAccuracy) -> Tensor:
        if not len(batch):
            return self._of_nothing()
        logits = self(batch.source)
        losses = functional.cross_entropy(logits, batch.label, reduction="none")
        self.check_evaluation(losses.sum(), batch.index)
        mean_loss.update(losses)
        accuracy.update(logits, batch.label)
        return logits.softmax(dim=-1)

    def _of_nothing(self) -> Tensor:
        """The probabilities of an empty share of a batch."""
        return empty(0, self.output.out_features, device=self.device)

    def _log_scores(self, stage: str, mean_loss: MeanMetric, accuracy: MulticlassAccuracy) -> None:
        for name, metric in (("loss", mean_loss), ("accuracy", accuracy)):
            # Every rank has the same score: its maximum over the ranks is that score to the last bit.
            self.log(f"{stage}/{name}", metric.compute(), prog_bar=True, sync_dist=True, reduce_fx="max")
            metric.reset()
