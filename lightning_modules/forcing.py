"""Forcing: how often a decoder is fed the gold token as training goes on, and how it is fed its own predictions else.

Under scheduled sampling (Bengio et al. 2015) the decoder's next input is the gold token with probability epsilon, and
its own prediction otherwise. The ratio epsilon begins high and decays. Every schedule here is a closed form of the
optimizer step, so that a resumed run, or another number of processes, has the same ratio at the same step.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from datamodules.batch import Padded
from datamodules.errors import UserError
from lightning_modules.kernels.deferred_gradients import GatheredGradients
from lightning_modules.layers.decoder import Decoder
from lightning_modules.layers.heads import Feedback
from lightning_modules.layers.state import DecoderState, Memory

ForcingUnit = Literal["steps", "epochs"]
"""What a schedule counts: optimizer steps, or epochs, of which a step is a fraction."""


class ForcingSchedule(ABC):
    """What every schedule offers."""

    @abstractmethod
    def ratio(self, step: int, steps_per_epoch: int) -> float:
        """The share of gold tokens among the decoder's inputs, in [0, 1].

        Args:
            step: Optimizer steps made so far, counted from 0 over the whole run.
            steps_per_epoch: Optimizer steps of one epoch, at least 1.
        """


class Constant(ForcingSchedule):
    """The same ratio throughout: 1 is teacher forcing, 0 is free running.

    Args:
        value: The ratio.

    Raises:
        UserError: The value is outside [0, 1].
    """

    def __init__(self, value: float = 1.0) -> None:
        _check_ratio("value", value)
        self.value = value

    def ratio(self, step: int, steps_per_epoch: int) -> float:
        """The value; see :meth:`ForcingSchedule.ratio`."""
        return self.value


class _Decay(ForcingSchedule):
    """A ratio that stays at its start, then goes to its end: ``end + (start - end) * remaining(time)``.

    A subclass says what remains of the way, from about 1 at time 0 down to 0.
    """

    def __init__(self, start: float, end: float, warmup: float, unit: ForcingUnit) -> None:
        _check_ratio("start", start)
        _check_ratio("end", end)
        if not 0.0 <= warmup < math.inf:
            raise UserError(f"warmup is {warmup}: give 0 or more {unit}")
        self.start = start
        self.end = end
        self.warmup = warmup
        self.unit: ForcingUnit = unit

    def ratio(self, step: int, steps_per_epoch: int) -> float:
        """The ratio at a step; see :meth:`ForcingSchedule.ratio`."""
        time = step if self.unit == "steps" else step / steps_per_epoch
        return self.end + (self.start - self.end) * self._remaining(max(0.0, time - self.warmup))

    @abstractmethod
    def _remaining(self, time: float) -> float:
        """What remains of the way from start to end after so many units beyond the warm-up; in [0, 1]."""


class _OverLength(_Decay):
    """A way from start to end that is over after a given time.

    Args:
        length: Units from start to end.
        start: Ratio at first.
        end: Ratio at last, kept from there on.
        warmup: Units at the start's ratio before the decay begins.
        unit: What length and warm-up count.

    Raises:
        UserError: A ratio is outside [0, 1], or a length not positive.
    """

    def __init__(
        self, length: float, start: float = 1.0, end: float = 0.0, warmup: float = 0.0, unit: ForcingUnit = "epochs"
    ) -> None:
        super().__init__(start, end, warmup, unit)
        _check_length(length, unit)
        self.length = length


class Linear(_OverLength):
    """A line from start to end (Bengio et al. 2015, section 2.4).

    The paper's ``max(epsilon, k - c i)`` with k the start, epsilon the end, and c = (start - end) / length.
    """

    def _remaining(self, time: float) -> float:
        return max(0.0, 1.0 - time / self.length)


class Cosine(_OverLength):
    """Half a cosine from start to end: slow at both ends, fastest in the middle."""

    def _remaining(self, time: float) -> float:
        return (1.0 + math.cos(math.pi * min(1.0, time / self.length))) / 2.0


class Exponential(_Decay):
    """``k ** i``: each unit keeps the share k of the ratio (Bengio et al. 2015, section 2.4).

    With an end above 0 it is the distance to the end that shrinks so.

    Args:
        k: The share kept, between 0 and 1. After ``ln 0.5 / ln k`` units half of the way is gone.
        start: Ratio at first.
        end: Ratio that is approached.
        warmup: Units at the start's ratio before the decay begins.
        unit: What i and the warm-up count.

    Raises:
        UserError: A ratio is outside [0, 1], or k not between 0 and 1.
    """

    def __init__(
        self, k: float, start: float = 1.0, end: float = 0.0, warmup: float = 0.0, unit: ForcingUnit = "epochs"
    ) -> None:
        super().__init__(start, end, warmup, unit)
        if not 0.0 < k < 1.0:
            raise UserError(f"k is {k}: an exponential decay stays between 0 and 1 for a k between 0 and 1 alone")
        self.k = k

    def _remaining(self, time: float) -> float:
        return self.k**time


class InverseSigmoid(_Decay):
    """``k / (k + exp(i / k))``: a plateau, a fall, a plateau (Bengio et al. 2015, section 2.4).

    It begins at k / (k + 1) of the way, not quite at the start: 0.83 for k = 5. Half of the way is gone after
    ``k ln k`` units.

    Args:
        k: How late and how slow the fall is, at least 1.
        start: Ratio of the upper plateau.
        end: Ratio of the lower plateau.
        warmup: Units at the first ratio before the decay begins.
        unit: What i, k and the warm-up count.

    Raises:
        UserError: A ratio is outside [0, 1], or k below 1.
    """

    def __init__(
        self, k: float, start: float = 1.0, end: float = 0.0, warmup: float = 0.0, unit: ForcingUnit = "epochs"
    ) -> None:
        super().__init__(start, end, warmup, unit)
        if not 1.0 <= k < math.inf:
            raise UserError(f"k is {k}: an inverse sigmoid needs a k of 1 or more")
        self.k = k

    def _remaining(self, time: float) -> float:
        # Both sides of the fraction divided by exp(i / k), which would overflow.
        kept = self.k * math.exp(-time / self.k)
        return kept / (kept + 1.0)


def _check_ratio(name: str, value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise UserError(f"{name} is {value}: a forcing ratio is a probability, so give 0 to 1")


def _check_length(length: float, unit: ForcingUnit) -> None:
    if not 0.0 < length < math.inf:
        raise UserError(f"length is {length}: give more than 0 {unit}")


CoinUnit = Literal["token", "sentence", "batch"]
"""What one coin decides on. Bengio et al. (2015) throw one for each token, and compare with one for each sentence; one
for the whole batch is what many tutorials do."""


class ForcedModel(Protocol):
    """What forcing needs of a model."""

    decoder: Decoder

    @property
    def predicted_size(self) -> int | None:
        """How many numbers of a fed vector are predicted, the first ones: the others are known ahead. None of ids."""

    def embed(self, values: Tensor) -> Tensor:
        """Target values ``(batch, ...)`` as the decoder's inputs, one dimension more."""

    def predict(self, outputs: Tensor, weights: Tensor, memory: Memory, where: Tensor, feedback: Feedback) -> Tensor:
        """Decoder outputs ``(batch, t, o)`` to target values that are predicted ``where`` ``(batch, t)`` says."""


class Forced(NamedTuple):
    """A decoder's run over a target.

    Attributes:
        outputs: The decoder's, ``(batch, target_len, o)``.
        weights: Of its attention, ``(batch, heads, target_len, source_len)``.
        fed: ``(batch, target_len, ...)``, what it was fed.
    """

    outputs: Tensor
    weights: Tensor
    fed: Tensor


class Forcing(ABC):
    """Chooses, for each position of the target, between the gold value and another, as a rule the model's own.

    The first input, BOS, is always gold. Predictions that are fed back are detached: no gradient passes through the
    choice. Where all is gold the model runs its plain teacher forcing, and none of this.

    Args:
        schedule: The share of gold inputs over training.
        coin: What one coin decides on.
        position_decay: What is left of that share from one position of a target to the next: after t tokens it is
            ``ratio * position_decay ** t``, as errors gather in a model that runs alone (Liu et al. 2021, "Scheduled
            Sampling Based on Decoding Steps for Neural Machine Translation"). 1 for the same share everywhere.

    Raises:
        UserError: ``position_decay`` is not above 0 and at most 1.
    """

    def __init__(self, schedule: ForcingSchedule, coin: CoinUnit = "token", position_decay: float = 1.0) -> None:
        if not 0.0 < position_decay <= 1.0:
            raise UserError(f"position_decay is {position_decay}: give a number above 0, and at most 1")
        self.schedule = schedule
        self.coin: CoinUnit = coin
        self.position_decay = position_decay

    def feeds_gold(self, ratio: float) -> bool:
        """Whether all that is fed at a ratio is gold.

        Args:
            ratio: The share of gold inputs at the first position.
        """
        return ratio >= 1.0 and self.position_decay == 1.0

    def gold_mask(self, mask: Tensor, ratio: float) -> Tensor:
        """Where gold is fed.

        Args:
            mask: ``(batch, target_len)``, True where there is a token; on padding it does not matter what is fed.
            ratio: Probability of gold at the first position.

        Returns:
            ``(batch, target_len)``, True for gold; the first column is True.
        """
        batch, steps = mask.shape
        shape = {"token": (batch, steps), "sentence": (batch, 1), "batch": (1, 1)}[self.coin]
        share = ratio * self.position_decay ** torch.arange(steps, device=mask.device)
        gold = (torch.rand(shape, device=mask.device) < share) | ~mask
        gold[:, 0] = True
        return gold

    @abstractmethod
    def outputs(self, model: ForcedModel, target: Padded, gold: Tensor, memory: Memory, state: DecoderState) -> Forced:
        """Runs the decoder over a target, some of whose inputs are not gold.

        Args:
            model: Embeds, decodes, predicts.
            target: ``(batch, target_len, ...)``, the gold inputs.
            gold: ``(batch, target_len)``, from :meth:`gold_mask`.
            memory: From the decoder's ``prepare_memory``.
            state: From the decoder's ``initial_state``.
        """


class FeedingBack(Forcing):
    """Forcing whose other inputs are the model's own predictions.

    Args:
        schedule: The share of gold inputs over training.
        coin: What one coin decides on.
        feedback: Which prediction is fed back.
        position_decay: What is left of that share from one position of a target to the next; see :class:`Forcing`.
    """

    def __init__(
        self,
        schedule: ForcingSchedule,
        coin: CoinUnit = "token",
        feedback: Feedback = "argmax",
        position_decay: float = 1.0,
    ) -> None:
        super().__init__(schedule, coin, position_decay)
        self.feedback: Feedback = feedback

    def _feed_back(
        self, model: ForcedModel, inputs: Tensor, outputs: Tensor, weights: Tensor, gold: Tensor, memory: Memory
    ) -> Tensor:
        """Inputs ``(batch, t, ...)`` with predictions in place of those that are not gold; only those are predicted."""
        fed = inputs.clone()
        predicted = model.predict(outputs.detach(), weights.detach(), memory, ~gold, self.feedback)
        # Mixed precision predicts in another precision than it is fed.
        fed[..., : model.predicted_size][~gold] = predicted.to(fed.dtype)
        return fed


class ScheduledSampling(FeedingBack):
    """Feeds back step by step (Bengio et al. 2015): each prediction follows from what was really fed before it.

    Args:
        schedule: The share of gold inputs over training.
        coin: What one coin decides on.
        feedback: Which prediction is fed back.
        position_decay: What is left of that share from one position of a target to the next: after t tokens it is
            ``ratio * position_decay ** t`` (Liu et al. 2021). 1 for the same share everywhere.
    """

    def outputs(self, model: ForcedModel, target: Padded, gold: Tensor, memory: Memory, state: DecoderState) -> Forced:
        """Runs a loop over the target; see :meth:`Forcing.outputs`."""
        outputs: list[Tensor] = []
        weights: list[Tensor] = []
        history: list[Tensor] = []
        with GatheredGradients():
            for step in range(target.values.shape[1]):
                fed = target.values[:, step : step + 1]
                if outputs:
                    last, attended = outputs[-1][:, None], weights[-1][:, :, None]
                    fed = self._feed_back(model, fed, last, attended, gold[:, step : step + 1], memory)
                output, weight, state = model.decoder.step(model.embed(fed.squeeze(1)), memory, state)
                outputs.append(output)
                weights.append(weight)
                history.append(fed)
        return Forced(torch.stack(outputs, dim=1), torch.stack(weights, dim=2), torch.cat(history, dim=1))


class ParallelScheduledSampling(FeedingBack):
    """Feeds back between passes over the whole target (Mihaylova and Martins 2019; Duckworth et al. 2019).

    The first pass runs on gold inputs. Each further one takes, where the coin says so, the prediction that the pass
    before made there. A decoder that runs in parallel over time keeps its speed; the predictions of two passes follow
    from gold history, those of more from ever more of the model's own. Only the last pass has a gradient.

    Args:
        schedule: The share of gold inputs over training.
        coin: What one coin decides on.
        feedback: Which prediction is fed back.
        passes: Passes over the target, at least 2.
        position_decay: What is left of that share from one position of a target to the next: after t tokens it is
            ``ratio * position_decay ** t`` (Liu et al. 2021). 1 for the same share everywhere.

    Raises:
        UserError: There are fewer than 2 passes.
    """

    def __init__(
        self,
        schedule: ForcingSchedule,
        coin: CoinUnit = "token",
        feedback: Feedback = "argmax",
        passes: int = 2,
        position_decay: float = 1.0,
    ) -> None:
        super().__init__(schedule, coin, feedback, position_decay)
        if passes < 2:
            raise UserError(f"passes is {passes}: give at least 2, the first of which makes the predictions")
        self.passes = passes

    def outputs(self, model: ForcedModel, target: Padded, gold: Tensor, memory: Memory, state: DecoderState) -> Forced:
        """Runs the passes; see :meth:`Forcing.outputs`."""
        fed = inputs = target.values
        with torch.no_grad():
            for _ in range(0 if bool(gold.all()) else self.passes - 1):
                outputs, weights, _ = model.decoder(model.embed(fed), memory, state)
                later = self._feed_back(model, inputs[:, 1:], outputs[:, :-1], weights[:, :, :-1], gold[:, 1:], memory)
                fed = torch.cat([inputs[:, :1], later], dim=1)
        outputs, weights, _ = model.decoder(model.embed(fed), memory, state)
        return Forced(outputs, weights, fed)
