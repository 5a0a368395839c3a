"""What every encoder-decoder is: an encoder, a bridge and a decoder between an input part and a head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Generic, TypeVar

from torch import Tensor, nn

from datamodules.batch import Padded, SequenceBatch, SeriesBatch, VectorBatch
from lightning_modules.forcing import Forced, Forcing
from lightning_modules.layers.bridge import Bridge
from lightning_modules.layers.decoder import Decoder
from lightning_modules.layers.encoder import EncoderFactory
from lightning_modules.layers.heads import Attended, Feedback, Head
from lightning_modules.layers.recurrent import State
from lightning_modules.layers.state import DecoderState, Memory, StateShape
from lightning_modules.training.module import LRSchedulerCallable, OptimizerCallable
from lightning_modules.training.step_loss import StepLossModule

BridgeFactory = Callable[[StateShape, StateShape], Bridge]
DecoderFactory = Callable[[int, int], Decoder]

BatchT = TypeVar("BatchT", SequenceBatch, VectorBatch, SeriesBatch)


class EncoderDecoder(StepLossModule, Generic[BatchT]):
    """Sequences to sequences (Sutskever et al. 2014; Bahdanau et al. 2015), trained under any forcing.

    A subclass makes the parts, and evaluates. Sizes that follow from other parts are passed on and written nowhere
    twice.

    Args:
        optimizer: Made of (parameters).
        scheduler: Learning-rate schedule made of (optimizer), stepped per update, or as a ``TimedSchedule`` says; none
            for a constant rate.
        forcing: What the decoder is fed in training; gold values alone (teacher forcing) if not given.

    Attributes:
        source_embedding: Source values as the encoder's inputs.
        target_embedding: Target values as the decoder's inputs.
        to_embedding: The decoder's outputs as the head's inputs.
        output: The head.
    """

    source_embedding: nn.Module
    target_embedding: nn.Module
    to_embedding: nn.Module
    output: Head

    def __init__(
        self, optimizer: OptimizerCallable, scheduler: LRSchedulerCallable | None, forcing: Forcing | None
    ) -> None:
        super().__init__(optimizer, scheduler)
        self.forcing = forcing

    def connect(
        self, encoder: EncoderFactory, decoder: DecoderFactory, bridge: BridgeFactory, embedding_size: int
    ) -> None:
        """Makes encoder, decoder and bridge, each of the sizes of those before.

        Args:
            encoder: Made of (embedding size).
            decoder: Made of (embedding size, memory size).
            bridge: Made of (encoder state shape, decoder state shape).
            embedding_size: Width of the embedded source and target.
        """
        self.encoder = encoder(embedding_size)
        self.decoder = decoder(embedding_size, self.encoder.memory_size)
        self.bridge = bridge(self.encoder.state_shape, self.decoder.state_shape)

    def read(self, source: Padded) -> tuple[Tensor, State]:
        """What the encoder makes of a batch; see :meth:`Encoder.forward`."""
        values, final = self.encoder(self.source_embedding(source.values), source.lengths)
        return values, final

    def encode(self, source: Padded) -> tuple[Memory, DecoderState]:
        """Encodes a batch.

        Args:
            source: ``(batch, source_len, ...)``; of ids, each sequence closed by EOS.

        Returns:
            The memory with its keys, and the decoder's initial state.
        """
        values, final = self.read(source)
        memory = self.decoder.prepare_memory(values, source.mask)
        if self.output.copies:
            copied = self.copied_ids(source.values)
            memory = replace(memory, source=copied, greatest=copied.max() if copied.numel() else None)
        return memory, self.decoder.initial_state(self.bridge(final))

    def forward(self, batch: BatchT) -> tuple[Tensor, Tensor]:
        """Runs under teacher forcing.

        Args:
            batch: Source and target.

        Returns:
            Outputs at the real target positions ``(positions, width)``, row by row, from which :attr:`output` predicts
            what follows; and attention weights ``(batch, heads, target_len, source_len)``.
        """
        memory, state = self.encode(batch.source)
        target = batch.target_input
        outputs, weights, _ = self.decoder(self.target_embedding(target.values), memory, state)
        return self.to_embedding(target.real(outputs)), weights

    def forced(self, batch: BatchT, forcing: Forcing, ratio: float) -> Forced:
        """Runs on a history that is partly the model's own.

        Args:
            batch: Source and target.
            forcing: How the model's own values come in.
            ratio: The share of gold values.

        Returns:
            Outputs and attention weights as those of :meth:`forward`, and what was fed.
        """
        memory, state = self.encode(batch.source)
        target = batch.target_input
        gold = forcing.gold_mask(target.mask, ratio)
        outputs, weights, fed = forcing.outputs(self, target, gold, memory, state)
        return Forced(self.to_embedding(target.real(outputs)), weights, fed)

    def embed(self, values: Tensor) -> Tensor:
        """Target values for the decoder; ids ``(...)`` or vectors ``(..., size)`` to ``(..., embedding_size)``."""
        return self.target_embedding(values)

    @property
    def predicted_size(self) -> int | None:
        """How many numbers of a vector that is fed are predicted, the first ones; None where ids are fed."""
        return self.output.predicted_size

    def predict(self, outputs: Tensor, weights: Tensor, memory: Memory, where: Tensor, feedback: Feedback) -> Tensor:
        """The values that follow from the decoder's outputs, without gradients.

        Args:
            outputs: ``(batch, t, output_size)``.
            weights: ``(batch, heads, t, source_len)``.
            memory: From :meth:`encode`.
            where: ``(batch, t)``, True at the positions that are asked for.
            feedback: The most probable values, or some that are drawn, where the head has several.

        Returns:
            ``(positions, ...)``, row by row.
        """
        attended = None if memory.source is None else Attended.at(weights, memory.source, where)
        return self.output.predict(self.to_embedding(outputs[where]), feedback, attended)

    def attended(self, batch: BatchT, weights: Tensor) -> Attended | None:
        """What was attended to at the real target positions, where the head copies.

        Args:
            batch: Source and target.
            weights: ``(batch, heads, target_len, source_len)``.
        """
        if not self.output.copies:
            return None
        return Attended.at(weights, self.copied_ids(batch.source.values), batch.target_output.mask)

    def copied_ids(self, values: Tensor) -> Tensor:
        """Source values ``(batch, source_len, ...)`` as a head that copies takes them: as they are."""
        return values

    def loss(self, batch: BatchT, ratio: float = 1.0) -> tuple[Tensor, Tensor, int]:
        """The loss summed over the target, EOS included where there is one.

        Args:
            batch: Source and target.
            ratio: The share of gold values in the history; at 1, teacher forcing, :meth:`forward` itself runs.

        Returns:
            What is trained, with what attentions add to it; what is reported; and what both are sums over. See
            :meth:`Head.loss`.
        """
        trained = self.trained_on(batch)
        return self.loss_of(trained, self.run(trained, ratio))

    def trained_on(self, batch: BatchT) -> BatchT:
        """A batch as it is run and compared with in training: as it is."""
        return batch

    def run(self, batch: BatchT, ratio: float) -> Forced:
        """Runs on the history that training has.

        Args:
            batch: From :meth:`trained_on`.
            ratio: The share of gold values in the history.
        """
        if self.forcing is None or self.forcing.feeds_gold(ratio):
            hidden, weights = self(batch)
            return Forced(hidden, weights, batch.target_input.values)
        return self.forced(batch, self.forcing, ratio)

    def loss_of(self, batch: BatchT, ran: Forced) -> tuple[Tensor, Tensor, int]:
        """The loss of a run; see :meth:`loss`.

        Args:
            batch: From :meth:`trained_on`.
            ran: From :meth:`run`.
        """
        hidden, weights, _ = ran
        target = batch.target_output
        loss, reported, count = self.output.loss(hidden, target.real(target.values), self.attended(batch, weights))
        of_attention = self.decoder.attention_loss(weights, target.mask)
        return loss if of_attention is None else loss + of_attention, reported, count

    def logged_metrics(self) -> set[str]:
        """The metrics that a training logs here; a subclass adds its own."""
        return (
            super().logged_metrics()
            | {"train/loss"}
            | ({"train/forcing_ratio", "train/replaced"} if self.forcing is not None else set())
        )

    def training_step(self, batch: BatchT, batch_idx: int) -> Tensor:
        """The summed loss of a batch; logs ``train/loss``, the mean of what is reported.

        With a forcing also ``train/forcing_ratio``, and ``train/replaced``, the share of what was fed after the first
        input that is not the gold value: less than the schedule replaces, where a model predicts gold.
        """
        ratio = self.forcing_ratio(self.forcing)
        if not len(batch):
            return self.scaled_loss(self.zero_loss(), 0, batch.index)
        trained = self.trained_on(batch)
        ran = self.run(trained, ratio)
        loss, reported, count = self.loss_of(trained, ran)
        if self.forcing is not None:
            self.log("train/replaced", _share_replaced(ran.fed, trained.target_input), batch_size=len(batch))
        self.log("train/loss", reported / count, prog_bar=True, batch_size=len(batch))
        return self.scaled_loss(loss, count, batch.index)


def _share_replaced(fed: Tensor, gold: Padded) -> Tensor:
    """The share of inputs ``(batch, target_len, ...)`` after the first that differ from gold ones; a scalar."""
    differs = (fed != gold.values).flatten(2).any(dim=2) if fed.dim() > 2 else fed != gold.values
    asked = gold.mask[:, 1:]
    return (differs[:, 1:] & asked).sum() / asked.sum().clamp(min=1)
