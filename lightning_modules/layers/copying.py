"""Copying: a head that takes its tokens from the vocabulary or from the source."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from datamodules.batch import UNK
from lightning_modules.kernels.argmax import most_probable
from lightning_modules.kernels.linear import Linear
from lightning_modules.kernels.projected_loss import CHUNK_ROWS, projected_log_probabilities
from lightning_modules.layers.heads import Attended, VocabularyHead


class CopyVocabularyHead(VocabularyHead):
    """A pointer-generator: tokens of the vocabulary, or of the source where it is attended to (See et al. 2017, 2.2).

    ``p_gen = sigmoid(w . o + b)`` and ``p(y) = p_gen softmax(W o + b)_y + (1 - p_gen) sum of a_i where source_i = y``
    (equations 8 and 9), a the attention's weights, averaged over its heads. The paper's gate sees context, state and
    input of the decoder; this one the decoder's output o, which is made of them. Source and target need one vocabulary.

    A source may have ids above the vocabulary, for symbols that it lacks: the paper's extended vocabulary. They can be
    copied alone, and distributions are as wide as the greatest of them needs. None is impossible where it stands in the
    source: where no weight is left for it, it has the least positive number.

    Args:
        input_size: Width of what is projected; the model gives it.
        vocabulary_size: Number of ids; the model gives it.
        label_smoothing: Share of the target distribution spread evenly over the vocabulary; the model gives it. It is
            the softmax over the vocabulary that is smoothed, not the mixture.
    """

    copies: ClassVar[bool] = True

    def __init__(self, input_size: int, vocabulary_size: int, label_smoothing: float) -> None:
        super().__init__(input_size, vocabulary_size, label_smoothing)
        self.generate = Linear(input_size, 1)

    def loss(self, hidden: Tensor, gold: Tensor, attended: Attended | None = None) -> tuple[Tensor, Tensor, int]:
        """Negative log-likelihood in nats; see :meth:`Head.loss`. The probability of the gold token alone is made."""
        found, mean = self._of_gold(hidden, gold, attended)
        nll = -found.sum()
        loss = nll if not self.label_smoothing else torch.lerp(nll, -mean.sum(), self.label_smoothing)
        return loss, nll.detach(), len(gold)

    def gold_log_probabilities(self, hidden: Tensor, gold: Tensor, attended: Attended | None = None) -> Tensor:
        """Of the gold tokens, copied or not, with gradients; see :meth:`VocabularyHead.gold_log_probabilities`."""
        found, _ = self._of_gold(hidden, gold, attended)
        return found.to(torch.promote_types(found.dtype, torch.float32))

    def outcomes(self, hidden: Tensor, gold: Tensor, attended: Attended | None = None) -> tuple[Tensor, Tensor]:
        """What becomes of each gold token; see :meth:`VocabularyHead.outcomes`."""
        assert attended is not None
        scores, predicted, width = [], [], self._width(attended)
        for start in range(0, max(1, len(gold)), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            found = self._mixed(hidden[rows], attended.rows(rows), width)
            scores.append(found.gather(1, gold[rows, None]).squeeze(1))
            predicted.append(most_probable(found))
        return torch.cat(scores), torch.cat(predicted)

    def scores(self, hidden: Tensor, attended: Attended | None = None) -> Tensor:
        """The log-probabilities themselves."""
        return self.log_probabilities(hidden, attended)

    def log_probabilities(self, hidden: Tensor, attended: Attended | None = None) -> Tensor:
        """Of every token that can be generated or copied, without gradients; see the class.

        Args:
            hidden: ``(n, i)``.
            attended: What was attended to there.

        Returns:
            ``(n, vocabulary_size)``, with further columns up to the greatest id of the sources, or one for each of
            their positions.
        """
        assert attended is not None
        return self._mixed(hidden, attended, self._width(attended))

    def generation(self, hidden: Tensor) -> Tensor:
        """p_gen, the probability that a token is taken from the vocabulary and not from the source, ``(n,)``.

        Args:
            hidden: ``(n, i)``.
        """
        return self.generate(hidden).squeeze(1).sigmoid()

    def _of_gold(self, hidden: Tensor, gold: Tensor, attended: Attended | None) -> tuple[Tensor, Tensor]:
        """Log-probabilities of the gold tokens, and the means of those of the vocabulary's softmax, both ``(n,)``."""
        assert attended is not None
        beyond = gold >= self.out_features
        chosen, mean = projected_log_probabilities(hidden, self.weight, self.bias, gold.masked_fill(beyond, UNK))
        chosen = chosen.masked_fill(beyond, -torch.inf)
        mass = (attended.weights * (attended.source == gold[:, None])).sum(dim=1)
        mass = _possible(mass, beyond)
        return _mixture(self.generate(hidden).squeeze(1), chosen, mass), mean

    def _width(self, attended: Attended) -> int:
        """Ids of the vocabulary, and those above it that a source is known to have."""
        if attended.unread:
            return self.out_features
        if attended.greatest is not None:
            return max(self.out_features, int(attended.greatest) + 1)
        return max(self.out_features, int(attended.source.max()) + 1) if attended.source.numel() else self.out_features

    @torch.no_grad()
    def _mixed(self, hidden: Tensor, attended: Attended, width: int) -> Tensor:
        """Log-probabilities of so many ids, ``(n, width)``, and of those that are unread."""
        found = super().log_probabilities(hidden)
        if attended.unread:
            found = torch.cat([found, torch.full_like(attended.weights, -torch.inf, dtype=found.dtype)], dim=1)
        elif width > self.out_features:
            found = functional.pad(found, (0, width - self.out_features), value=-torch.inf)
        gate, source = self.generate(hidden).to(found.dtype), attended.source
        mass = torch.zeros_like(found).scatter_add_(1, source, attended.weights.to(found.dtype)).gather(1, source)
        if attended.unread or width > self.out_features:
            mass = _possible(mass, source >= self.out_features)
        mixed = _mixture(gate, found.gather(1, source), mass)
        return found.add_(functional.logsigmoid(gate)).scatter_(1, source, mixed)


def _possible(copied: Tensor, beyond: Tensor) -> Tensor:
    """Probabilities of being copied, none of them 0 of what can only be copied.

    Args:
        copied: Probabilities.
        beyond: True for ids above the vocabulary, in the same shape.
    """
    return copied.masked_fill(beyond & (copied == 0), torch.finfo(copied.dtype).tiny)


def _mixture(gate: Tensor, generated: Tensor, copied: Tensor) -> Tensor:
    """``log(sigmoid(gate) exp(generated) + sigmoid(-gate) copied)``, exact where nothing is copied.

    Args:
        gate: A logit for each position.
        generated: Log-probabilities.
        copied: Probabilities, of the same shape.
    """
    nothing = copied == 0
    log_copied = copied.masked_fill(nothing, 1.0).log().masked_fill(nothing, -torch.inf)
    return torch.logaddexp(functional.logsigmoid(gate) + generated, functional.logsigmoid(-gate) + log_copied)
