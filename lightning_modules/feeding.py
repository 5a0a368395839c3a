"""What a decoder is fed in a training step: gold tokens, its own predictions, or some of each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, Protocol

import torch
from torch import Tensor

from datamodules.errors import UserError
from lightning_modules.forcing import ForcingSchedule
from lightning_modules.kernels.deferred_gradients import GatheredGradients
from lightning_modules.layers.decoder import Decoder
from lightning_modules.layers.state import DecoderState, Memory

Feedback = Literal["argmax", "sample"]
"""Which prediction is fed back: the most probable one, or one drawn from the distribution."""

CoinUnit = Literal["token", "sentence", "batch"]
"""What one coin decides on. Bengio et al. (2015) throw one for each token, and compare with one for each sentence; one
for the whole batch is what many tutorials do."""


class Fed(Protocol):
    """What feeding needs of a model."""

    decoder: Decoder

    def embed(self, values: Tensor) -> Tensor:
        """Target values ``(batch, ...)`` as the decoder's inputs, one dimension more."""

    def predict(self, outputs: Tensor, feedback: Feedback) -> Tensor:
        """Decoder outputs ``(rows, o)`` to predicted target values ``(rows, ...)``, without gradient."""


class Feeding(ABC):
    """Chooses, for each position of the target, between the gold value and the model's own.

    The first input, BOS, is always gold. Predictions that are fed back are detached: no gradient passes through the
    choice. At a ratio of 1 the model runs its plain teacher forcing, and none of this.

    Args:
        schedule: The share of gold inputs over training.
        coin: What one coin decides on.
        feedback: Which prediction is fed back.
    """

    def __init__(self, schedule: ForcingSchedule, coin: CoinUnit = "token", feedback: Feedback = "argmax") -> None:
        self.schedule = schedule
        self.coin: CoinUnit = coin
        self.feedback: Feedback = feedback

    def coins(self, mask: Tensor, ratio: float) -> Tensor:
        """Where gold is fed.

        Args:
            mask: ``(batch, target_len)``, True where there is a token; on padding it does not matter what is fed.
            ratio: Probability of gold.

        Returns:
            ``(batch, target_len)``, True for gold; the first column is True.
        """
        batch, steps = mask.shape
        shape = {"token": (batch, steps), "sentence": (batch, 1), "batch": (1, 1)}[self.coin]
        gold = (torch.rand(shape, device=mask.device) < ratio) | ~mask
        gold[:, 0] = True
        return gold

    @abstractmethod
    def outputs(self, model: Fed, inputs: Tensor, gold: Tensor, memory: Memory, state: DecoderState) -> Tensor:
        """Runs the decoder over a target, some of whose inputs are its own predictions.

        Args:
            model: Embeds, decodes, predicts.
            inputs: ``(batch, target_len, ...)``, the gold inputs.
            gold: ``(batch, target_len)``, from :meth:`coins`.
            memory: From the decoder's ``remember``.
            state: From the decoder's ``start``.

        Returns:
            The decoder's outputs ``(batch, target_len, o)``.
        """

    def _feed_back(self, model: Fed, inputs: Tensor, outputs: Tensor, gold: Tensor) -> Tensor:
        """Inputs with predictions in place of those that are not gold; only those are predicted."""
        fed = inputs.clone()
        fed[~gold] = model.predict(outputs.detach()[~gold], self.feedback)
        return fed


class ScheduledSampling(Feeding):
    """Feeds back step by step (Bengio et al. 2015): each prediction follows from what was really fed before it.

    Args:
        schedule: The share of gold inputs over training.
        coin: What one coin decides on.
        feedback: Which prediction is fed back.
    """

    def outputs(self, model: Fed, inputs: Tensor, gold: Tensor, memory: Memory, state: DecoderState) -> Tensor:
        """Runs a loop over the target; see :meth:`Feeding.outputs`."""
        outputs: list[Tensor] = []
        with GatheredGradients():
            for step in range(inputs.shape[1]):
                fed = inputs[:, step]
                if outputs:
                    fed = self._feed_back(model, fed, outputs[-1], gold[:, step])
                output, _, state = model.decoder.step(model.embed(fed), memory, state)
                outputs.append(output)
        return torch.stack(outputs, dim=1)


class ParallelScheduledSampling(Feeding):
    """Feeds back between passes over the whole target (Mihaylova and Martins 2019; Duckworth et al. 2019).

    The first pass runs on gold inputs. Each further one takes, where the coin says so, the prediction that the pass
    before made there. A decoder that runs in parallel over time keeps its speed; the predictions of two passes follow
    from gold history, those of more from ever more of the model's own. Only the last pass has a gradient.

    Args:
        schedule: The share of gold inputs over training.
        coin: What one coin decides on.
        feedback: Which prediction is fed back.
        passes: Passes over the target, at least 2.

    Raises:
        UserError: There are fewer than 2 passes.
    """

    def __init__(
        self,
        schedule: ForcingSchedule,
        coin: CoinUnit = "token",
        feedback: Feedback = "argmax",
        passes: int = 2,
    ) -> None:
        super().__init__(schedule, coin, feedback)
        if passes < 2:
            raise UserError(f"passes is {passes}: give at least 2, the first of which makes the predictions")
        self.passes = passes

    def outputs(self, model: Fed, inputs: Tensor, gold: Tensor, memory: Memory, state: DecoderState) -> Tensor:
        """Runs the passes; see :meth:`Feeding.outputs`."""
        fed = inputs
        with torch.no_grad():
            for _ in range(0 if bool(gold.all()) else self.passes - 1):
                outputs, _, _ = model.decoder(model.embed(fed), memory, state)
                later = self._feed_back(model, inputs[:, 1:], outputs[:, :-1], gold[:, 1:])
                fed = torch.cat([inputs[:, :1], later], dim=1)
        outputs, _, _ = model.decoder(model.embed(fed), memory, state)
        return outputs
