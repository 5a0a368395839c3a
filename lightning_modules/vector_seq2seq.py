"""Sequence to sequence over vectors of real numbers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from datamodules.batch import VectorBatch
from lightning_modules.encoder_decoder import BridgeFactory, DecoderFactory, EncoderDecoder
from lightning_modules.forcing import Constant, Forcing, ScheduledSampling
from lightning_modules.kernels.linear import Linear
from lightning_modules.layers.bridge import ProjectionBridge
from lightning_modules.layers.checks import check_sizes
from lightning_modules.layers.decoder import FixedContextDecoder
from lightning_modules.layers.encoder import EncoderFactory, RecurrentEncoder
from lightning_modules.layers.heads import RegressionHead
from lightning_modules.layers.initialisation import initialise
from lightning_modules.metrics import PerTokenLoss, Scale
from lightning_modules.training.module import LRSchedulerCallable, OptimizerCallable

FREE_RUNNING = ScheduledSampling(Constant(0.0))


class VectorSeq2Seq(EncoderDecoder[VectorBatch]):
    """An encoder and a decoder over vectors, with linear layers in place of embedding and vocabulary.

    After Srivastava et al. (2015, section 2). The decoder is fed the vector before, zeros at first: the gold one under
    teacher forcing, else its own prediction, detached. A target is as long as its gold one is; there is no end to
    predict. The loss is the squared error per number.

    Args:
        source_feature_size: Width of the source's vectors; linked from the data.
        target_feature_size: Width of the target's vectors; linked from the data.
        encoder: Made of (embedding size).
        decoder: Made of (embedding size, memory size).
        bridge: Made of (encoder state shape, decoder state shape).
        embedding_size: Width of the vectors that encoder and decoder read.
        optimizer: Made of (parameters).
        scheduler: Learning-rate schedule made of (optimizer), stepped per update, or as a ``TimedSchedule`` says; none
            for a constant rate.
        forcing: What the decoder is fed in training; gold vectors alone (teacher forcing) if not given. Its feedback is
            the prediction itself, whatever it says.

    Raises:
        UserError: ``embedding_size`` is below 1.
    """

    def __init__(
        self,
        source_feature_size: int,
        target_feature_size: int,
        encoder: EncoderFactory = RecurrentEncoder,
        decoder: DecoderFactory = FixedContextDecoder,
        bridge: BridgeFactory = ProjectionBridge,
        embedding_size: int = 64,
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: LRSchedulerCallable | None = None,
        forcing: Forcing | None = None,
    ) -> None:
        super().__init__(optimizer, scheduler, forcing)
        check_sizes(self, embedding_size=embedding_size)
        self.save_hyperparameters()
        self.source_embedding = Linear(source_feature_size, embedding_size)
        self.target_embedding = Linear(target_feature_size, embedding_size)
        self.connect(encoder, decoder, bridge, embedding_size)
        self.to_embedding = nn.Identity()
        self.output: RegressionHead = RegressionHead(self.decoder.output_size, target_feature_size)
        initialise(self, torch.initial_seed())
        self.val_loss, self.val_free_running = PerTokenLoss(), PerTokenLoss()
        self.test_loss, self.test_free_running = PerTokenLoss(), PerTokenLoss()

    def logged_metrics(self) -> set[str]:
        """The metrics that a training logs here."""
        return super().logged_metrics() | {"val/loss", "val/loss_free_running", "val/exposure_gap"}

    def metric_scales(self) -> dict[str, Scale]:
        """The units of the metrics that a training logs here, for pictures."""
        errors = ("train/loss", "val/loss", "val/loss_free_running", "val/exposure_gap")
        return dict.fromkeys(errors, Scale("mean squared error", "lower"))

    def chance_loss(self, batch: VectorBatch) -> float:  # type: ignore[override]  # its batches alone
        """That of the answer 0 to everything."""
        return float(batch.target.values[batch.target.mask].square().mean())

    def validation_step(self, batch: VectorBatch, batch_idx: int) -> None:
        """Adds a batch to the errors after gold history and after the model's own."""
        self._evaluate(batch, self.val_loss, self.val_free_running)

    def test_step(self, batch: VectorBatch, batch_idx: int) -> None:
        """Adds a batch to the errors after gold history and after the model's own."""
        self._evaluate(batch, self.test_loss, self.test_free_running)

    def predict_step(self, batch: VectorBatch, batch_idx: int) -> list[Tensor]:
        """For each source the target that the model makes on its own, ``(target_len, target_feature_size)``."""
        if not len(batch):
            return []
        predicted = self.output(self.forced(batch, FREE_RUNNING, ratio=0.0)[0])
        return list(predicted.split(batch.target.lengths.tolist()))

    def on_validation_epoch_end(self) -> None:
        """Logs ``val/loss``, ``val/loss_free_running`` and ``val/exposure_gap``."""
        self._log_errors("val", self.val_loss, self.val_free_running)

    def on_test_epoch_end(self) -> None:
        """Logs ``test/loss``, ``test/loss_free_running`` and ``test/exposure_gap``."""
        self._log_errors("test", self.test_loss, self.test_free_running)

    def _evaluate(self, batch: VectorBatch, gold_history: PerTokenLoss, own_history: PerTokenLoss) -> None:
        if not len(batch):
            return
        gold = batch.target_output.real(batch.target_output.values)
        for metric, hidden in (
            (gold_history, self(batch)[0]),
            (own_history, self.forced(batch, FREE_RUNNING, ratio=0.0)[0]),
        ):
            _, error, numbers = self.output.loss(hidden, gold)
            self.check_evaluation(error, batch.index)
            metric.update(error, torch.tensor(numbers))

    def _log_errors(self, stage: str, gold_history: PerTokenLoss, own_history: PerTokenLoss) -> None:
        gold, own = gold_history.compute().item(), own_history.compute().item()
        for name, error in (("loss", gold), ("loss_free_running", own), ("exposure_gap", own - gold)):
            # Every rank has the same mean: its maximum over the ranks is that mean to the last bit.
            self.log(f"{stage}/{name}", error, prog_bar=name == "loss", sync_dist=True, reduce_fx="max")
        gold_history.reset()
        own_history.reset()
