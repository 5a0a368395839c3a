"""Forcing beside scheduled sampling: by what the model is sure of, and by noise, which is the control of both."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from datamodules.batch import Padded
from datamodules.errors import UserError
from lightning_modules.forcing import CoinUnit, Forced, ForcedModel, Forcing, ForcingSchedule
from lightning_modules.layers.state import DecoderState, Memory


def drawn_from(target: Padded, count: int) -> Tensor:
    """Gold values of a batch at random places, BOS left out: noise that is distributed as the targets are.

    Args:
        target: ``(batch, target_len, ...)``, the gold inputs.
        count: How many.

    Returns:
        ``(count, ...)``.
    """
    pool = target.values[:, 1:][target.mask[:, 1:]]
    return pool[torch.randint(len(pool), (count,), device=pool.device)]


class NoisyForcing(Forcing):
    """Feeds gold values of other places of the batch in place of gold ones, whatever the model predicts.

    The control of scheduled sampling: if a model gains as much by it, it is the disturbance that helped, and not that
    it saw its own errors. As dropout of words, it is one pass over the target. What is known ahead of a step that is
    forecast stays as it is: no prediction takes its place either.

    Args:
        schedule: The share of gold inputs over training.
        coin: What one coin decides on.
        position_decay: What is left of that share from one position of a target to the next: after t tokens it is
            ``ratio * position_decay ** t`` (Liu et al. 2021). 1 for the same share everywhere.
    """

    def outputs(self, model: ForcedModel, target: Padded, gold: Tensor, memory: Memory, state: DecoderState) -> Forced:
        """Runs one pass; see :meth:`Forcing.outputs`."""
        fed = target.values
        noisy = ~gold
        if bool(noisy.any()):
            fed, predicted = fed.clone(), slice(model.predicted_size)
            fed[..., predicted][noisy] = drawn_from(target, int(noisy.sum()))[..., predicted]
        outputs, weights, _ = model.decoder(model.embed(fed), memory, state)
        return Forced(outputs, weights, fed)


@runtime_checkable
class ConfidentModel(ForcedModel, Protocol):
    """A model whose predictions have probabilities."""

    def judge(
        self, outputs: Tensor, weights: Tensor, memory: Memory, where: Tensor, gold: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Log-probabilities of gold tokens, and the most probable ones, ``where`` ``(batch, t)`` says."""


class ConfidenceAwareSampling(Forcing):
    """Feeds what fits to how sure the model is of the gold token (Liu et al. 2021).

    "Confidence-Aware Scheduled Sampling for Neural Machine Translation" (arXiv 2107.10427).
    A first pass runs on gold history, and its probability of each gold token is the model's confidence there. Where it
    is at most ``golden``, gold is fed; where it is above, the prediction; and where it is above ``random``, so that the
    prediction is gold as a rule, a token of the batch's targets at random. The second pass, which alone has a gradient,
    runs on that. What the coin of the schedule calls gold stays gold, whatever the confidence.

    Args:
        schedule: The share of inputs over training that stay gold whatever the confidence; ``Constant`` of 0 is the
            paper's.
        golden: Confidence above which a token is predicted.
        random: Confidence above which it is drawn at random; 1 for nowhere.
        coin: What one coin decides on.
        position_decay: What is left of the schedule's share from one position of a target to the next; 1 for all.

    Raises:
        UserError: Not ``0 <= golden <= random <= 1``.
    """

    def __init__(
        self,
        schedule: ForcingSchedule,
        golden: float = 0.9,
        random: float = 0.95,
        coin: CoinUnit = "token",
        position_decay: float = 1.0,
    ) -> None:
        super().__init__(schedule, coin, position_decay)
        if not 0.0 <= golden <= random <= 1.0:
            raise UserError(f"golden is {golden} and random {random}: give 0 <= golden <= random <= 1")
        self.golden = golden
        self.random = random

    def outputs(self, model: ForcedModel, target: Padded, gold: Tensor, memory: Memory, state: DecoderState) -> Forced:
        """Runs both passes; see :meth:`Forcing.outputs`.

        Raises:
            UserError: The model predicts numbers, which have no probability.
        """
        if not isinstance(model, ConfidentModel):
            raise UserError(
                "ConfidenceAwareSampling asks how probable gold tokens are, and this model predicts no tokens: take "
                "ScheduledSampling or NoisyForcing as model.init_args.forcing"
            )
        fed = target.values
        asked = ~gold[:, 1:]
        if bool(asked.any()):
            with torch.no_grad():
                outputs, weights, _ = model.decoder(model.embed(fed), memory, state)
                later = self._replaced(model, target, asked, outputs[:, :-1], weights[:, :, :-1], memory)
            fed = torch.cat([fed[:, :1], later], dim=1)
        outputs, weights, _ = model.decoder(model.embed(fed), memory, state)
        return Forced(outputs, weights, fed)

    def _replaced(
        self, model: ConfidentModel, target: Padded, asked: Tensor, outputs: Tensor, weights: Tensor, memory: Memory
    ) -> Tensor:
        """Inputs after BOS ``(batch, target_len - 1)``, those that are asked for by the model's confidence."""
        fed = target.values[:, 1:].clone()
        golds = fed[asked]
        scores, predicted = model.judge(outputs, weights, memory, asked, golds)
        confidence = scores.exp()
        kept = torch.where(confidence > self.golden, predicted, golds)
        fed[asked] = torch.where(confidence > self.random, drawn_from(target, len(golds)), kept)
        return fed
