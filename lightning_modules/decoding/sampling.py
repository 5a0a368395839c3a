"""Ancestral sampling."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from datamodules.errors import RunFailed, UserError
from lightning_modules.decoding.search import NO_NUMBERS
from lightning_modules.decoding.single_path import SinglePathSearch


class SamplingSearch(SinglePathSearch):
    """Draws each token from the model's distribution, given those drawn before it.

    The distribution is changed in this order: what the lengths, n-grams and prefixes forbid is left out; the
    log-probabilities are divided by ``temperature``; of the tokens, the ``top_k`` most probable are kept (Fan et al.
    2018, section 5.1); of those, the fewest that together have the probability ``top_p`` (Holtzman et al. 2020, section
    3.1). What is kept is scaled to sum to 1.

    Score and log-probability of a hypothesis are the model's own, as if nothing had been changed, so that they compare
    with those of other searches. Draws come from torch's generator of the device: after ``torch.manual_seed(n)`` the
    same batch gives the same hypotheses, while a sentence alone draws others than in a batch.

    Args:
        samples: Hypotheses drawn for each source, in no order of quality; equal ones may come.
        temperature: Above 1 draws more evenly, below 1 more greedily.
        top_k: Only the so many most probable tokens are drawn from; 0 for all.
        top_p: Only the fewest most probable tokens of this probability together are drawn from; 1 for all.
        max_length: Most tokens of a hypothesis, EOS not counted. If neither this nor max_ratio is given, the limit
            comes of the training pairs: about twice the longest target, and 1.25 times the greatest ratio of lengths.
        max_ratio: At most this many times the source's length, plus 10.
        min_length: Fewest tokens of a hypothesis, EOS not counted.
        no_repeat_ngram_size: No sequence of this many tokens comes twice in a hypothesis; 0 for no such rule.
        allow_unknown: Whether a hypothesis may have the unknown token, ``<unk>``; a forced prefix may in any case.

    Raises:
        UserError: samples is below 1, temperature not above 0, top_k negative, or top_p outside (0, 1].
    """

    draws = True

    def __init__(
        self,
        samples: int = 1,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        max_length: int | None = None,
        max_ratio: float | None = None,
        min_length: int = 0,
        no_repeat_ngram_size: int = 0,
        allow_unknown: bool = False,
    ) -> None:
        super().__init__(max_length, max_ratio, min_length, no_repeat_ngram_size, allow_unknown)
        if samples < 1:
            raise UserError(f"samples is {samples}: give at least 1")
        if not 0.0 < temperature < math.inf:
            raise UserError(f"temperature is {temperature}: give more than 0; near 0, sampling becomes greedy search")
        if top_k < 0:
            raise UserError(f"top_k is {top_k}: give 1 or more tokens to draw from, or 0 for all")
        if not 0.0 < top_p <= 1.0:
            raise UserError(f"top_p is {top_p}: give a probability above 0 and up to 1")
        self.samples = samples
        self.temperature = temperature
        self.top_k = top_k
        self.top_p = top_p

    def check_vocabulary(self, size: int) -> None:
        """Refuses a vocabulary of fewer than ``top_k`` tokens; see :meth:`Search.check_vocabulary`."""
        if self.top_k > size:
            raise UserError(f"top_k is {self.top_k}, but the target vocabulary has {size} tokens: give no more")

    def distribution(self, log_probabilities: Tensor) -> Tensor:
        """What tokens are drawn from.

        Args:
            log_probabilities: ``(rows, vocabulary)``, minus infinity where a token is forbidden.

        Returns:
            ``(rows, vocabulary)``, probabilities; 0 for what top_k and top_p leave out.
        """
        tokens, logits = self._logits(log_probabilities)
        probabilities = logits.softmax(dim=1)
        if tokens is None:
            return probabilities
        return torch.zeros_like(log_probabilities).scatter(1, tokens, probabilities)

    def _choose(self, log_probabilities: Tensor) -> Tensor:
        tokens, logits = self._logits(log_probabilities)
        probabilities = logits.softmax(dim=1)
        if probabilities.isnan().any():  # which torch.multinomial refuses in words of its own
            raise RunFailed(NO_NUMBERS)
        drawn = torch.multinomial(probabilities, 1)
        return (drawn if tokens is None else tokens.gather(1, drawn)).squeeze(1)

    def _logits(self, log_probabilities: Tensor) -> tuple[Tensor | None, Tensor]:
        """The tokens that are drawn from, None for all of them in their order, and their logits, ``(rows, tokens)``."""
        # The most probable token at 0: then no temperature, however small, overflows.
        logits = (log_probabilities - log_probabilities.amax(dim=1, keepdim=True)) / self.temperature
        if not self.top_k and self.top_p == 1.0:
            return None, logits
        logits, tokens = logits.topk(self.top_k or logits.shape[1], dim=1)  # sorted
        if self.top_p < 1.0:
            probabilities = logits.softmax(dim=1)
            before = probabilities.cumsum(dim=1) - probabilities
            logits = logits.masked_fill(before >= self.top_p, -torch.inf)
        return tokens, logits
