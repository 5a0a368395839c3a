"""Heads: what a decoder's outputs predict, and the loss of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional

from datamodules.errors import UserError
from lightning_modules.kernels.argmax import most_probable
from lightning_modules.kernels.graph_form import GraphForm
from lightning_modules.kernels.linear import Linear
from lightning_modules.kernels.onednn import product
from lightning_modules.kernels.projected_loss import projected_cross_entropy, projected_outcomes

Feedback = Literal["argmax", "sample"]
"""Which prediction is fed back: the most probable one, or one drawn from the distribution."""


@dataclass(frozen=True)
class Attended:
    """What was attended to where something is predicted, which a head that copies needs.

    Attributes:
        weights: ``(n, source_len)``, for each position a distribution over the source.
        source: ``(n, source_len)``, int64, the ids that stand there.
        greatest: The greatest id that any source has, a number or a scalar of int64; None for that of the sources here.
        unread: Whether a prediction has as many ids above the vocabulary as a source has positions, whatever stands
            there: a graph holds no choice by a value, such as the greatest id.
    """

    weights: Tensor
    source: Tensor
    greatest: Tensor | int | None = None
    unread: bool = False

    @classmethod
    def at(cls, weights: Tensor, source: Tensor, where: Tensor) -> Attended:
        """At some positions of the targets; the heads of an attention count alike.

        Args:
            weights: ``(batch, heads, t, source_len)``.
            source: ``(batch, source_len)``.
            where: ``(batch, t)``, True at n positions.
        """
        ids = source[:, None].expand(-1, where.shape[1], -1)
        return cls(weights.mean(dim=1)[where], ids[where])

    @classmethod
    def of_rows(cls, weights: Tensor, source: Tensor, greatest: Tensor | None = None) -> Attended:
        """At the one step of some prefixes.

        Args:
            weights: ``(rows, heads, source_len)``, as many rows for each source as for the others, one after the other.
            source: ``(batch, source_len)``.
            greatest: Scalar, the greatest id that any source has, those among them that left the batch.
        """
        return cls(weights.mean(dim=1), source.repeat_interleave(len(weights) // len(source), dim=0), greatest)

    def rows(self, which: slice) -> Attended:
        """Some of the positions."""
        return Attended(self.weights[which], self.source[which], self.greatest, self.unread)


def _log_softmax(logits: Tensor) -> Tensor:
    """In float32 at least; in the room of the logits where that is possible."""
    precision = torch.promote_types(logits.dtype, torch.float32)
    in_place = not torch.is_grad_enabled() and GraphForm.current() is None
    if logits.dtype == precision and in_place:
        return torch.log_softmax(logits, dim=-1, out=logits)
    return logits.log_softmax(dim=-1, dtype=precision)


class Head(Linear, ABC):
    """A projection of what a decoder has made, with a loss.

    Letters: n positions, i input size, o output size. Positions are real ones, row by row; padding has none.

    Attributes:
        copies: Whether the head needs to know what was attended to; else it is given None.
    """

    copies: ClassVar[bool] = False

    @property
    def predicted_size(self) -> int | None:
        """How many numbers the vector has that :meth:`predict` gives; None where that is an id."""
        return None

    @abstractmethod
    def loss(self, hidden: Tensor, gold: Tensor, attended: Attended | None = None) -> tuple[Tensor, Tensor, int]:
        """The loss, summed.

        Args:
            hidden: ``(n, i)``.
            gold: ``(n, ...)``, what should be predicted.
            attended: What was attended to there.

        Returns:
            The loss that is trained; the loss that is reported, without a gradient; and how many numbers or tokens
            both are sums over.
        """

    @abstractmethod
    def predict(self, hidden: Tensor, feedback: Feedback, attended: Attended | None = None) -> Tensor:
        """What is predicted, to be fed back.

        Args:
            hidden: ``(n, i)``.
            feedback: Which prediction, where there are several.
            attended: What was attended to there.

        Returns:
            ``(n, ...)``, of the form of a gold value.
        """


class VocabularyHead(Head):
    """A softmax over the target vocabulary: ``p(y) = softmax(W h + b)``.

    Args:
        input_size: Width of what is projected.
        vocabulary_size: Number of target ids.
        label_smoothing: Share of the target distribution spread evenly over the vocabulary (Szegedy et al. 2016,
            section 7).
    """

    def __init__(self, input_size: int, vocabulary_size: int, label_smoothing: float) -> None:
        super().__init__(input_size, vocabulary_size)
        self.label_smoothing = label_smoothing

    def loss(self, hidden: Tensor, gold: Tensor, attended: Attended | None = None) -> tuple[Tensor, Tensor, int]:
        """Cross-entropy in nats, reported without smoothing; see :meth:`Head.loss`. No tensor of logits is made."""
        loss, nll = projected_cross_entropy(hidden, self.weight, self.bias, gold, self.label_smoothing)
        return loss, nll, len(gold)

    def outcomes(self, hidden: Tensor, gold: Tensor, attended: Attended | None = None) -> tuple[Tensor, Tensor]:
        """What becomes of each gold token, without gradients.

        Args:
            hidden: ``(n, i)``.
            gold: ``(n,)``.
            attended: What was attended to there.

        Returns:
            Two tensors of ``(n,)``: the log-probability of the gold token, and the most probable token in its place.
        """
        return projected_outcomes(hidden, self.weight, self.bias, gold)

    @torch.no_grad()
    def predict(self, hidden: Tensor, feedback: Feedback, attended: Attended | None = None) -> Tensor:
        """The most probable token, or one that is drawn, ``(n,)``, int64; see :meth:`Head.predict`."""
        scores = self.scores(hidden, attended)
        if feedback == "sample":
            scores = scores - torch.empty_like(scores).exponential_().log()  # Gumbel's noise: its argmax is a draw
        return most_probable(scores)

    def scores(self, hidden: Tensor, attended: Attended | None = None) -> Tensor:
        """Log-probabilities of all tokens but for a constant of each position, ``(n, vocabulary_size)``."""
        return self(hidden)

    def log_probabilities(self, hidden: Tensor, attended: Attended | None = None) -> Tensor:
        """Of every token, in float32 at least.

        Args:
            hidden: ``(n, i)``.
            attended: What was attended to there.

        Returns:
            ``(n, vocabulary_size)``.
        """
        return _log_softmax(self(hidden))

    def gold_log_probabilities(self, hidden: Tensor, gold: Tensor, attended: Attended | None = None) -> Tensor:
        """Of the gold tokens alone, with gradients, in float32 at least.

        Args:
            hidden: ``(n, i)``.
            gold: ``(n,)``.
            attended: What was attended to there.

        Returns:
            ``(n,)``.
        """
        return _log_softmax(self(hidden)).gather(1, gold[:, None]).squeeze(1)

    def part(self, ids: Tensor) -> PartialHead:
        """The same head over some target ids alone, for a search.

        Args:
            ids: ``(ids,)``, int64.

        Raises:
            UserError: The head copies.
        """
        if self.copies:
            raise UserError(f"a shortlist is for models that do not copy, but this one has a {type(self).__name__}")
        return PartialHead(self.weight[ids], self.bias[ids])


@dataclass(frozen=True)
class PartialHead:
    """Some rows of a head. They are other ones in each batch, so that no search keeps them packed.

    Attributes:
        weight: ``(ids, input_size)``.
        bias: ``(ids,)``.
    """

    weight: Tensor
    bias: Tensor

    def log_probabilities(self, hidden: Tensor, attended: Attended | None = None) -> Tensor:
        """Of every one of the ids, among them; see :meth:`VocabularyHead.log_probabilities`."""
        return _log_softmax(product(hidden, self.weight, self.bias))


class RegressionHead(Head):
    """Vectors of real numbers: ``y = W h + b``, by the squared error.

    Args:
        input_size: Width of what is projected.
        feature_size: Width of a vector.
    """

    def __init__(self, input_size: int, feature_size: int) -> None:
        super().__init__(input_size, feature_size)

    @property
    def predicted_size(self) -> int:
        """All of a vector; see :attr:`Head.predicted_size`."""
        return self.out_features

    def loss(self, hidden: Tensor, gold: Tensor, attended: Attended | None = None) -> tuple[Tensor, Tensor, int]:
        """The squared error, over numbers; see :meth:`Head.loss`. ``gold`` is ``(n, feature_size)``."""
        error = functional.mse_loss(self(hidden), gold, reduction="sum")
        return error, error.detach(), gold.numel()

    @torch.no_grad()
    def predict(self, hidden: Tensor, feedback: Feedback, attended: Attended | None = None) -> Tensor:
        """The vectors, ``(n, feature_size)``, whatever the feedback; see :meth:`Head.predict`."""
        return self(hidden)
