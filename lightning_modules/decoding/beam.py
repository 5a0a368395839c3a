"""Beam search."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from datamodules.batch import EOS, Padded
from datamodules.errors import UserError
from lightning_modules.decoding.continuations import best_continuations
from lightning_modules.decoding.hypothesis import Hypothesis
from lightning_modules.decoding.prefixes import Prefixes
from lightning_modules.decoding.search import MemoryT, Search, StateT, Steppable, head_mean


class BeamSearch(Search):
    """Keeps the ``beam_size`` most probable prefixes at each step (Sutskever et al. 2014, section 3.2).

    Hypotheses are ranked by ``log P / ((5 + length) / 6) ** length_penalty + coverage_penalty * coverage``, the length
    with EOS, and ``coverage = sum_i log(min(sum_j p_ij, 1))`` over the source positions i, where ``p_ij`` is what
    target token j attends to i, heads averaged (Wu et al. 2016, equation 14). Open prefixes compete by their
    log-probability alone. A prefix that ends within the best ``beam_size`` continuations of its sentence is a
    hypothesis; a sentence is finished as soon as it has ``beam_size`` of them, no open prefix is left, or none can
    still become one of the ``n_best``.

    Args:
        beam_size: Prefixes kept for each sentence; at most the size of the target vocabulary.
        length_penalty: 0 ranks by log-probability, larger values favour longer hypotheses.
        n_best: Hypotheses returned for each sentence.
        max_length: Most tokens of a hypothesis, EOS not counted.
        max_ratio: Also at most this many times the source's length, plus 10; None for no such limit.
        min_length: Fewest tokens of a hypothesis, EOS not counted.
        no_repeat_ngram_size: No sequence of this many tokens comes twice in a hypothesis; 0 for no such rule.
        coverage_penalty: Weight of the coverage: larger values favour hypotheses that attend to the whole source; 0
            for none. It needs a model with attention.

    Raises:
        UserError: beam_size is below 1, n_best not in 1 to beam_size, or a penalty negative.
    """

    def __init__(
        self,
        beam_size: int = 5,
        length_penalty: float = 1.0,
        n_best: int = 1,
        max_length: int = 100,
        max_ratio: float | None = 2.0,
        min_length: int = 0,
        no_repeat_ngram_size: int = 0,
        coverage_penalty: float = 0.0,
    ) -> None:
        super().__init__(max_length, max_ratio, min_length, no_repeat_ngram_size)
        if beam_size < 1:
            raise UserError(f"beam_size is {beam_size}: give at least 1 (1 is greedy search)")
        if not 1 <= n_best <= beam_size:
            raise UserError(f"n_best is {n_best}: give 1 to beam_size, which is {beam_size}")
        if not 0.0 <= length_penalty < math.inf:
            raise UserError(f"length_penalty is {length_penalty}: give 0 or more")
        if not 0.0 <= coverage_penalty < math.inf:
            raise UserError(f"coverage_penalty is {coverage_penalty}: give 0 or more")
        self.beam_size = beam_size
        self.length_penalty = length_penalty
        self.n_best = n_best
        self.coverage_penalty = coverage_penalty

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
        size, keeps_attention = self.beam_size, with_attention or self.coverage_penalty > 0
        memory, state = model.encode(source)
        rules = self._rules(source, prefixes)
        # Until its second token each sentence has one prefix, and so one row: width 1.
        beams, width = Prefixes.empty(torch.arange(len(source), device=source.values.device)), 1
        found: list[list[Hypothesis]] = [[] for _ in range(len(source))]
        counts = torch.zeros_like(source.lengths)  # of the hypotheses of each open sentence
        best = torch.full((len(source), self.n_best), -torch.inf, device=source.values.device)  # their best scores
        for length in range(self.max_length + 1):
            log_probabilities, weights, state = model.step(beams.tokens[:, -1], memory, state)
            attention = head_mean(weights) if keeps_attention else None
            if length == 0:
                self._check(log_probabilities)
                self._check_coverage(attention)
            # Of the best 2 * size continuations at most size end, so that enough stay open.
            totals, rows, tokens = best_continuations(
                beams.log_probabilities.view(-1, width),
                rules.permit(log_probabilities, beams.tokens[:, 1:]),
                min(2 * size, width * log_probabilities.shape[1]),
            )
            ends = tokens == EOS
            closing = (ends & totals.isfinite())[:, :size]
            where = closing.nonzero(as_tuple=True)
            if len(where[0]):
                ended = _extended(beams, rows[where], tokens[where], totals[where], attention)
                scores = self._scores(ended, source.mask)
                for sentence, hypothesis in ended.hypotheses(scores, source.lengths, with_attention):
                    found[sentence].append(hypothesis)
                counts = counts + closing.sum(dim=1)
                new = scores.new_full(closing.shape, -torch.inf).masked_scatter(closing, scores)
                best = torch.cat([best, new], dim=1).topk(self.n_best, dim=1).values
            totals, order = totals.masked_fill(ends, -torch.inf).topk(size, dim=1)
            # An open prefix only loses: at best it keeps its log-probability up to the longest hypothesis.
            hope = totals[:, 0] / self._length_norm(rules.limits[::width])
            going_on = ((counts < size) & (totals[:, 0] > -torch.inf) & (hope > best[:, -1])).nonzero().squeeze(1)
            if not len(going_on):
                break
            rows, tokens = (each.gather(1, order)[going_on].flatten() for each in (rows, tokens))
            beams = _extended(beams, rows, tokens, totals[going_on].flatten(), attention)
            state = state.select(rows)
            if width < size or len(going_on) < len(counts):
                rules = rules.select((going_on * width).repeat_interleave(size))
            if len(going_on) < len(counts):
                memory, counts, best = memory.select(going_on), counts[going_on], best[going_on]
            width = size
        return [sorted(each, key=lambda hypothesis: -hypothesis.score)[: self.n_best] for each in found]

    def _check_coverage(self, attention: Tensor | None) -> None:
        if self.coverage_penalty and attention is None:
            raise UserError(
                f"coverage_penalty is {self.coverage_penalty}, but the model has no attention: set it to 0, or take a "
                "model with attention"
            )

    def _length_norm(self, length: Tensor | int) -> Tensor | float:
        """What the log-probability of a hypothesis of that many tokens, EOS not counted, is divided by."""
        return ((6 + length) / 6) ** self.length_penalty

    def _scores(self, ended: Prefixes, source_mask: Tensor) -> Tensor:
        """What the hypotheses are ranked by, ``(rows,)``; the mask is the batch's, ``(batch, source_len)``."""
        scores = ended.log_probabilities / self._length_norm(ended.tokens.shape[1] - 2)
        if not self.coverage_penalty or ended.attention is None:
            return scores
        attended = ended.attention.sum(dim=1)
        # What was never attended to keeps a finite logarithm, so that such hypotheses still have an order.
        logarithms = attended.clamp(min=torch.finfo(attended.dtype).tiny, max=1.0).log()
        coverage = logarithms.masked_fill(~source_mask[ended.sentences], 0.0).sum(dim=1)
        return scores + self.coverage_penalty * coverage


def _extended(
    beams: Prefixes, rows: Tensor, tokens: Tensor, log_probabilities: Tensor, attention: Tensor | None
) -> Prefixes:
    """Some of the prefixes, each with one more token.

    Args:
        beams: The prefixes.
        rows: ``(new_rows,)``, which are extended; one may be several times.
        tokens: ``(new_rows,)``.
        log_probabilities: ``(new_rows,)``, of the longer prefixes.
        attention: ``(rows, source_len)``, of this step; None where it is not kept.
    """
    return beams.select(rows).extend(tokens, log_probabilities, None if attention is None else attention[rows])
