"""Beam search."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from inspect import signature
from itertools import count

import numpy as np
import torch
from torch import Tensor

from datamodules.batch import EOS, Padded
from datamodules.errors import UserError
from lightning_modules.decoding.continuations import best_continuations
from lightning_modules.decoding.greedy import GreedySearch
from lightning_modules.decoding.hypothesis import Hypothesis
from lightning_modules.decoding.prefixes import Integers, Numbers, Prefixes, Truth
from lightning_modules.decoding.search import MemoryT, Search, StateT, Steppable, kept_weights


@dataclass(frozen=True)
class BeamStep:
    """What a beam search decided at one step, about the continuations that its prefixes compete with.

    Letters: n sentences that are still searched, c continuations of each, the best first, k prefixes that are kept.

    Attributes:
        sentences: ``(n,)``, their positions in the batch.
        totals: ``(n, c)``, log-probability of the longer prefix; minus infinity where there was none left.
        rows: ``(n, c)``, the row of the beam that each continues.
        tokens: ``(n, c)``, what it adds.
        scores: ``(n, c)``, what those are ranked by that end here and are hypotheses; minus infinity of the others.
        kept: ``(n, k)``, which of the c stay open, in the order of their rows in the next beam.
        bounds: ``(n,)``, the most that an open prefix can still score.
        goes_on: ``(n,)``, whether the sentence is searched further.
    """

    sentences: Integers
    totals: Numbers
    rows: Integers
    tokens: Integers
    scores: Numbers
    kept: Integers
    bounds: Numbers
    goes_on: Truth


class BeamSearch(Search):
    """Keeps the ``beam_size`` most probable prefixes at each step (Sutskever et al. 2014, section 3.2).

    Hypotheses are ranked by ``log P / ((5 + length) / 6) ** length_penalty + coverage_penalty * coverage``, the length
    with EOS, and ``coverage = sum_i log(min(sum_j p_ij, 1))`` over the source positions i, where ``p_ij`` is what
    target token j attends to i, heads averaged (Wu et al. 2016, equation 14). Open prefixes compete by their
    log-probability alone. A prefix that ends within the best ``beam_size`` continuations of its sentence is a
    hypothesis; a sentence is finished as soon as no open prefix can still become one of the ``n_best``: the most that
    it can score is its log-probability, kept up to the longest hypothesis that is allowed. So nothing is lost by
    stopping (Huang, Zhao and Ma 2017, for scores without a length penalty).

    Args:
        beam_size: Prefixes kept for each sentence; at most the size of the target vocabulary.
        length_penalty: 0 ranks by log-probability, larger values favour longer hypotheses.
        n_best: Hypotheses returned for each sentence.
        max_length: Most tokens of a hypothesis, EOS not counted. If neither this nor max_ratio is given, the limit
            comes of the training pairs: about twice the longest target, and 1.25 times the greatest ratio of lengths.
        max_ratio: At most this many times the source's length, plus 10.
        min_length: Fewest tokens of a hypothesis, EOS not counted.
        no_repeat_ngram_size: No sequence of this many tokens comes twice in a hypothesis; 0 for no such rule.
        coverage_penalty: Weight of the coverage: larger values favour hypotheses that attend to the whole source; 0
            for none. It needs a model with attention.
        allow_unknown: Whether a hypothesis may have the unknown token, ``<unk>``; a forced prefix may in any case.

    Raises:
        UserError: beam_size is below 1, n_best not in 1 to beam_size, or a penalty negative.
    """

    def __init__(
        self,
        beam_size: int = 5,
        length_penalty: float = 1.0,
        n_best: int = 1,
        max_length: int | None = None,
        max_ratio: float | None = None,
        min_length: int = 0,
        no_repeat_ngram_size: int = 0,
        coverage_penalty: float = 0.0,
        allow_unknown: bool = False,
    ) -> None:
        super().__init__(max_length, max_ratio, min_length, no_repeat_ngram_size, allow_unknown)
        if beam_size < 1:
            raise UserError(f"beam_size is {beam_size}: give at least 1 (1 is greedy search)")
        if n_best < 1:
            raise UserError(f"n_best is {n_best}: give at least 1")
        if n_best > beam_size:
            raise UserError(
                f"n_best is {n_best}, but a beam of {beam_size} finds {beam_size} at most: raise beam_size to {n_best} "
                f"or lower n_best to {beam_size}"
            )
        if not 0.0 <= length_penalty < math.inf:
            raise UserError(f"length_penalty is {length_penalty}: give 0 or more")
        if not 0.0 <= coverage_penalty < math.inf:
            raise UserError(f"coverage_penalty is {coverage_penalty}: give 0 or more")
        self.beam_size = beam_size
        self.length_penalty = length_penalty
        self.n_best = n_best
        self.coverage_penalty = coverage_penalty

    def arguments(self) -> dict[str, float | None]:
        """The arguments that this search was made of, for another kind of beam search."""
        return {name: getattr(self, name) for name in signature(BeamSearch).parameters}

    def check_vocabulary(self, size: int) -> None:
        """Refuses a vocabulary of fewer than ``beam_size`` tokens; see :meth:`Search.check_vocabulary`."""
        if self.beam_size > size:
            raise UserError(
                f"beam_size is {self.beam_size}, but the target vocabulary has {size} tokens: give no more than that"
            )

    def _search(
        self, model: Steppable[MemoryT, StateT], source: Padded, with_attention: bool, prefixes: Padded | None
    ) -> list[list[Hypothesis]]:
        """The ``n_best`` hypotheses of each source; see :meth:`Search.__call__`."""
        if self._is_greedy():
            return self._greedily(model, source, with_attention, prefixes)
        size, keeps_attention = self.beam_size, with_attention or self.coverage_penalty > 0
        memory, state = model.encode(source)
        rules, device = self._rules(model, source, prefixes), source.values.device
        lengths = source.lengths.cpu().numpy()
        # Until its second token each sentence has one prefix, and so one row: width 1.
        beams, width = Prefixes.empty(len(source)), 1
        found: list[list[Hypothesis]] = [[] for _ in range(len(source))]
        best = np.full((len(source), self.n_best), -np.inf)  # scores of the best hypotheses, the last the least
        for length in count():
            last = torch.as_tensor(beams.tokens[:, -1], device=device)
            log_probabilities, weights, state = model.step(last, memory, state)
            attention = kept_weights(weights) if keeps_attention else None
            if length == 0:
                self._check(log_probabilities)
                self._check_coverage(attention)
            truncated = rules.truncated(log_probabilities, beams.tokens[:, 1:])
            # Of the best 2 * size continuations at most size end, so that enough stay open.
            allowed = rules.permit(log_probabilities, beams.tokens[:, 1:])
            most = min(2 * size, width * log_probabilities.shape[1])
            totals, rows, tokens = self._continuations(beams, width, allowed, most)
            self._check_totals(totals)
            ends = tokens == EOS
            closing = (ends & np.isfinite(totals))[:, :size]
            new = np.full(closing.shape, -np.inf)
            if closing.any():
                where = closing.nonzero()
                ended = _extended(beams, rows[where], tokens[where], totals[where], attention)
                scores = self._scores(ended, source.mask)
                new[where] = scores
                best = -np.sort(-np.concatenate([best, new], axis=1))[:, : self.n_best]
                among = (scores >= best[where[0], -1]).nonzero()[0]
                cut = truncated[rows[where]][among]
                for sentence, hypothesis in ended.select(among).hypotheses(scores[among], lengths, with_attention, cut):
                    found[sentence].append(hypothesis)
            # The open ones first, in their order.
            all_totals, order = totals, ends.argsort(axis=1, kind="stable")[:, :size]
            totals = np.where(ends, -np.inf, totals)
            leading = np.take_along_axis(totals, order, axis=1).max(axis=1)
            bounds = self._bound(leading, rules.limits[::width])
            goes_on = self._unfinished(beams.sentences[::width], bounds > best[:, -1])
            self._observe(BeamStep(beams.sentences[::width], all_totals, rows, tokens, new, order, bounds, goes_on))
            active = goes_on.nonzero()[0]
            if not len(active):
                break
            kept = active[:, None], order[active]
            rows = rows[kept].ravel()
            beams = _extended(beams, rows, tokens[kept].ravel(), totals[kept].ravel(), attention)
            state = state.select(torch.as_tensor(rows, device=device))
            if width < size or len(active) < len(best):
                rules = rules.select(np.repeat(active * width, size))
            if len(active) < len(best):
                memory = memory.select(torch.as_tensor(active, device=device))
                best = best[active]
            width = size
        return [sorted(each, key=lambda hypothesis: -hypothesis.score)[: self.n_best] for each in found]

    def _continuations(
        self, beams: Prefixes, width: int, allowed: Tensor, count: int
    ) -> tuple[Numbers, Integers, Integers]:
        """The continuations that the prefixes of each sentence compete with; see :func:`best_continuations`.

        Args:
            beams: The prefixes, ``width`` for each sentence.
            width: Number of prefixes of a sentence.
            allowed: ``(rows, vocabulary)``, log-probabilities of the next token.
            count: How many.
        """
        return best_continuations(beams.log_probabilities.reshape(-1, width), allowed, count)

    def _unfinished(self, sentences: Integers, can_win: Truth) -> Truth:
        """Which sentences go on, ``(sentences,)``: those of which an open prefix can still be one of the best."""
        return can_win

    def _observe(self, step: BeamStep) -> None:
        """Is told of each step; a search that records it overrides this."""

    def _is_greedy(self) -> bool:
        return self.beam_size == 1 and not self.coverage_penalty

    def _greedily(
        self, model: Steppable[MemoryT, StateT], source: Padded, with_attention: bool, prefixes: Padded | None
    ) -> list[list[Hypothesis]]:
        """A beam of one prefix is greedy search, which has nothing to sort: only the scores are this search's."""
        greedy = GreedySearch(
            self.max_length, self.max_ratio, self.min_length, self.no_repeat_ngram_size, self.allow_unknown
        )
        return [
            [replace(best, score=float(best.log_probability / self._length_norm(len(best.ids))))]
            for [best] in greedy(model, source, with_attention, prefixes)
        ]

    def _check_coverage(self, attention: Tensor | None) -> None:
        if self.coverage_penalty and attention is None:
            raise UserError(
                f"coverage_penalty is {self.coverage_penalty}, but the model has no attention: set it to 0, or take a "
                "model with attention"
            )

    def _length_norm(self, length: Integers | int) -> Numbers | float:
        """What the log-probability of a hypothesis of that many tokens, EOS not counted, is divided by."""
        norm: Numbers | float = ((6 + length) / 6) ** self.length_penalty
        return norm

    def _bound(self, log_probabilities: Numbers, limits: Integers) -> Numbers:
        """The most that open prefixes can score: they only lose, and at best keep what they have to the longest.

        Args:
            log_probabilities: ``(rows,)``, minus infinity where nothing is open.
            limits: ``(rows,)``, the most tokens of a hypothesis.
        """
        return log_probabilities / self._length_norm(limits)

    def _scores(self, ended: Prefixes, source_mask: Tensor) -> Numbers:
        """What the hypotheses are ranked by, ``(rows,)``; the mask is the batch's, ``(batch, source_len)``."""
        scores: Numbers = ended.log_probabilities / self._length_norm(ended.tokens.shape[1] - 2)
        if not self.coverage_penalty or ended.attention is None:
            return scores
        attended = ended.attention.mean(dim=2).sum(dim=1)
        # What was never attended to keeps a finite logarithm, so that such hypotheses still have an order.
        logarithms = attended.clamp(min=torch.finfo(attended.dtype).tiny, max=1.0).log()
        padding = ~source_mask[torch.as_tensor(ended.sentences, device=source_mask.device)]
        coverage: Numbers = logarithms.masked_fill(padding, 0.0).sum(dim=1).double().cpu().numpy()
        return scores + self.coverage_penalty * coverage


def _extended(
    beams: Prefixes, rows: Integers, tokens: Integers, log_probabilities: Numbers, attention: Tensor | None
) -> Prefixes:
    """Some of the prefixes, each with one more token.

    Args:
        beams: The prefixes.
        rows: ``(new_rows,)``, which are extended; one may be several times.
        tokens: ``(new_rows,)``.
        log_probabilities: ``(new_rows,)``, of the longer prefixes.
        attention: ``(rows, heads, source_len)``, of this step; None where it is not kept.
    """
    taken = None if attention is None else attention[torch.as_tensor(rows, device=attention.device)]
    return beams.select(rows).extend(tokens, log_probabilities, taken)
