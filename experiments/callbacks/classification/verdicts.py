"""What a classifier says of an evaluation, of all processes once: for the callbacks that report on it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

import lightning as L
from torch import Tensor

from datamodules.batch import LabelledBatch
from datamodules.errors import UserError
from experiments.callbacks.text import gathered
from experiments.callbacks.text_metrics import EvaluationStage
from lightning_modules.sequence_classifier import SequenceClassifier


class Verdict(NamedTuple):
    """What is said of one sequence.

    Attributes:
        label: Its class.
        predicted: The most probable class.
        probability: How probable that is.
    """

    label: int
    predicted: int
    probability: float


class VerdictsCallback(L.Callback, ABC):
    """Keeps the verdicts of a validation or a test, and lets a subclass report on the whole set."""

    def __init__(self) -> None:
        self._verdicts: dict[int, Verdict] = {}

    @abstractmethod
    def report(
        self, trainer: L.Trainer, module: SequenceClassifier, stage: EvaluationStage, verdicts: Mapping[int, Verdict]
    ) -> None:
        """Logs, lists or draws.

        Args:
            trainer: Knows the run's directory and its loggers.
            module: The model.
            stage: Stage of the evaluation, ``val`` or ``test``.
            verdicts: At least one, by index in the set, in its order; the same on every rank.
        """

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Tensor,  # type: ignore[override]  # Lightning's is any output
        batch: LabelledBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keeps the batch's verdicts, from the probabilities ``(batch, classes)``."""
        if not trainer.sanity_checking:
            self._keep(pl_module, outputs, batch)

    def on_test_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Tensor,  # type: ignore[override]  # Lightning's is any output
        batch: LabelledBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keeps the batch's verdicts, from the probabilities ``(batch, classes)``."""
        self._keep(pl_module, outputs, batch)

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Reports on the validation set."""
        self._close(trainer, pl_module, "val")

    def on_test_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Reports on the test set."""
        self._close(trainer, pl_module, "test")

    def _keep(self, module: L.LightningModule, probabilities: Tensor, batch: LabelledBatch) -> None:
        classifier(module, type(self).__name__)
        if not len(batch):
            return
        most, classes = probabilities.max(dim=-1)
        columns = (batch.index, batch.label, classes, most)
        for index, *verdict in zip(*(column.tolist() for column in columns), strict=True):
            self._verdicts[index] = Verdict(*verdict)

    def _close(self, trainer: L.Trainer, module: L.LightningModule, stage: EvaluationStage) -> None:
        verdicts = gathered(self._verdicts)
        self._verdicts = {}
        if verdicts:
            self.report(trainer, classifier(module, type(self).__name__), stage, verdicts)


def classifier(module: L.LightningModule, callback: str) -> SequenceClassifier:
    """A model that a callback of classifiers is given.

    Args:
        module: Any.
        callback: The callback's name.

    Raises:
        UserError: It is no classifier.
    """
    if not isinstance(module, SequenceClassifier):
        raise UserError(
            f"{callback} is for classifiers, not a {type(module).__name__}: take it out of trainer.callbacks"
        )
    return module
