"""Sequence to sequence over vectors of real numbers."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from datamodules.batch import VectorBatch
from lightning_modules.encoder_decoder import BridgeFactory, DecoderFactory
from lightning_modules.forcing import Constant, Feedback, Forcing, ScheduledSampling
from lightning_modules.kernels.linear import Linear
from lightning_modules.layers.bridge import ProjectionBridge
from lightning_modules.layers.checks import check_sizes
from lightning_modules.layers.encoder import EncoderFactory, RecurrentEncoder
from lightning_modules.layers.fixed_context import FixedContextDecoder
from lightning_modules.layers.initialisation import initialise
from lightning_modules.layers.state import DecoderState, Memory
from lightning_modules.metrics import PerTokenLoss
from lightning_modules.module import LRSchedulerCallable, OptimizerCallable
from lightning_modules.step_loss import StepLossModule

FREE_RUNNING = ScheduledSampling(Constant(0.0))


class VectorSeq2Seq(StepLossModule):
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
        scheduler: Learning-rate schedule made of (optimizer), stepped per update; none for a constant rate.
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
        super().__init__(optimizer, scheduler)
        check_sizes(self, embedding_size=embedding_size)
        self.save_hyperparameters()
        self.source_input = Linear(source_feature_size, embedding_size)
        self.target_input = Linear(target_feature_size, embedding_size)
        self.encoder = encoder(embedding_size)
        self.decoder = decoder(embedding_size, self.encoder.memory_size)
        self.bridge = bridge(self.encoder.state_shape, self.decoder.state_shape)
        self.output = Linear(self.decoder.output_size, target_feature_size)
        initialise(self, torch.initial_seed())
        self.forcing = forcing
        self.val_loss, self.val_free_running = PerTokenLoss(), PerTokenLoss()
        self.test_loss, self.test_free_running = PerTokenLoss(), PerTokenLoss()

    def encode(self, batch: VectorBatch) -> tuple[Memory, DecoderState]:
        """The memory with its keys, and the decoder's initial state."""
        values, final = self.encoder(self.source_input(batch.source.values), batch.source.lengths)
        return self.decoder.prepare_memory(values, batch.source.mask), self.decoder.initial_state(self.bridge(final))

    def forward(self, batch: VectorBatch) -> Tensor:
        """Predicts under teacher forcing; ``(batch, target_len, target_feature_size)``."""
        outputs, _, _ = self.decoder(self.embed(batch.target_input), *self.encode(batch))
        return self.output(outputs)

    def forced(self, batch: VectorBatch, forcing: Forcing, ratio: float) -> Tensor:
        """Predicts on a history that is partly the model's own.

        Args:
            batch: Source and target.
            forcing: How the model's own vectors come in.
            ratio: The share of gold vectors.

        Returns:
            ``(batch, target_len, target_feature_size)``.
        """
        gold = forcing.gold_mask(batch.target.mask, ratio)
        return self.output(forcing.outputs(self, batch.target_input, gold, *self.encode(batch)))

    def embed(self, values: Tensor) -> Tensor:
        """Target vectors ``(..., target_feature_size)`` as the decoder's inputs ``(..., embedding_size)``."""
        return self.target_input(values)

    @torch.no_grad()
    def predict(self, outputs: Tensor, feedback: Feedback) -> Tensor:
        """The decoder's outputs ``(rows, o)`` to the vectors that they predict."""
        return self.output(outputs)

    def logged_metrics(self) -> set[str]:
        """The metrics that a training logs here."""
        own = {"train/loss", "val/loss", "val/loss_free_running", "val/exposure_gap"}
        return super().logged_metrics() | own | ({"train/forcing_ratio"} if self.forcing is not None else set())

    def chance_loss(self, batch: VectorBatch) -> float:  # type: ignore[override]
        """That of the answer 0 to everything."""
        return float(batch.target.values[batch.target.mask].square().mean())

    def training_step(self, batch: VectorBatch, batch_idx: int) -> Tensor:
        """The summed squared error of a batch; logs ``train/loss`` per number, and the forcing ratio."""
        ratio = self.forcing_ratio(self.forcing)
        if not len(batch):
            return self.scaled_loss(self.zero_loss(), 0, batch.index)
        predicted = self(batch) if self.forcing is None or ratio >= 1.0 else self.forced(batch, self.forcing, ratio)
        loss, numbers = squared_error(predicted, batch)
        self.log("train/loss", loss.detach() / numbers, prog_bar=True, batch_size=len(batch))
        return self.scaled_loss(loss, numbers, batch.index)

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
        predicted = self.forced(batch, FREE_RUNNING, ratio=0.0)
        return [row[:length] for row, length in zip(predicted, batch.target.lengths.tolist(), strict=True)]

    def on_validation_epoch_end(self) -> None:
        """Logs ``val/loss``, ``val/loss_free_running`` and ``val/exposure_gap``."""
        self._log_errors("val", self.val_loss, self.val_free_running)

    def on_test_epoch_end(self) -> None:
        """Logs ``test/loss``, ``test/loss_free_running`` and ``test/exposure_gap``."""
        self._log_errors("test", self.test_loss, self.test_free_running)

    def _evaluate(self, batch: VectorBatch, gold_history: PerTokenLoss, own_history: PerTokenLoss) -> None:
        if not len(batch):
            return
        for metric, predicted in (
            (gold_history, self(batch)),
            (own_history, self.forced(batch, FREE_RUNNING, ratio=0.0)),
        ):
            loss, numbers = squared_error(predicted, batch)
            self.check_evaluation(loss, batch.index)
            metric.update(loss, torch.tensor(numbers))

    def _log_errors(self, stage: str, gold_history: PerTokenLoss, own_history: PerTokenLoss) -> None:
        gold, own = gold_history.compute().item(), own_history.compute().item()
        for name, error in (("loss", gold), ("loss_free_running", own), ("exposure_gap", own - gold)):
            # Every rank has the same mean: its maximum over the ranks is that mean to the last bit.
            self.log(f"{stage}/{name}", error, prog_bar=name == "loss", sync_dist=True, reduce_fx="max")
        gold_history.reset()
        own_history.reset()


def squared_error(predicted: Tensor, batch: VectorBatch) -> tuple[Tensor, int]:
    """The squared error of a prediction, summed over the real positions, and how many numbers these have.

    Args:
        predicted: ``(batch, target_len, target_feature_size)``.
        batch: With the gold target.
    """
    mask = batch.target.mask
    gold = batch.target.values[mask]
    return functional.mse_loss(predicted[mask], gold, reduction="sum"), gold.numel()
