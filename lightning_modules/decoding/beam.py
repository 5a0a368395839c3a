"""Beam search."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from datamodules.batch import BOS, EOS, Padded
from datamodules.errors import UserError
from lightning_modules.decoding.hypothesis import Hypothesis
from lightning_modules.decoding.search import Search, Steppable, crop, head_mean, permit


@dataclass(frozen=True)
class _Beams:
    """The prefixes still open, ``beam`` of them for each sentence still open.

    Attributes:
        sentences: ``(open,)``, the position of each open sentence in the batch.
        log_probabilities: ``(open, beam)``; minus infinity where a beam is not used.
        tokens: ``(open, beam, length)``, without BOS.
        attention: ``(open, beam, length, source_len)``, or None.
    """

    sentences: Tensor
    log_probabilities: Tensor
    tokens: Tensor
    attention: Tensor | None

    def keep(self, open_positions: Tensor) -> _Beams:
        """The beams of the given open sentences alone."""
        return _Beams(
            self.sentences[open_positions],
            self.log_probabilities[open_positions],
            self.tokens[open_positions],
            None if self.attention is None else self.attention[open_positions],
        )


class BeamSearch(Search):
    """Keeps the ``beam_size`` most probable prefixes at each step (Sutskever et al. 2014, section 3.2).

    Hypotheses are ranked by ``log P / ((5 + length) / 6) ** length_penalty``, the length with EOS (Wu et al. 2016,
    equation 14). A prefix that ends within the best ``beam_size`` continuations of its sentence is a hypothesis; a
    sentence is finished as soon as it has ``beam_size`` of them, or no open prefix is left.

    Args:
        beam_size: Prefixes kept for each sentence.
        length_penalty: 0 ranks by log-probability, larger values favour longer hypotheses.
        n_best: Hypotheses returned for each sentence.
        max_length: Most tokens of a hypothesis, EOS not counted.
        max_ratio: Also at most this many times the source's length, plus 10; None for no such limit.
        min_length: Fewest tokens of a hypothesis, EOS not counted.

    Raises:
        UserError: beam_size is below 1, n_best not in 1 to beam_size, or length_penalty negative.
    """

    def __init__(
        self,
        beam_size: int = 5,
        length_penalty: float = 1.0,
        n_best: int = 1,
        max_length: int = 100,
        max_ratio: float | None = 2.0,
        min_length: int = 0,
    ) -> None:
        super().__init__(max_length, max_ratio, min_length)
        if beam_size < 1:
            raise UserError(f"beam_size is {beam_size}: give at least 1 (1 is greedy search)")
        if not 1 <= n_best <= beam_size:
            raise UserError(f"n_best is {n_best}: give 1 to beam_size, which is {beam_size}")
        if length_penalty < 0:
            raise UserError(f"length_penalty is {length_penalty}: give 0 or more")
        self.beam_size = beam_size
        self.length_penalty = length_penalty
        self.n_best = n_best

    def __call__(self, model: Steppable, source: Padded, with_attention: bool = False) -> list[list[Hypothesis]]:
        """The ``n_best`` hypotheses of each source; see :meth:`Search.__call__`."""
        size = self.beam_size
        memory, state = model.encode(source)
        rows = torch.arange(len(source), device=source.values.device)
        memory, state = memory.select(rows.repeat_interleave(size)), state.select(rows.repeat_interleave(size))
        limits = self._limits(source)
        beams = self._first(rows, memory.values, with_attention)
        finished: list[list[Hypothesis]] = [[] for _ in range(len(source))]
        for length in range(self.max_length + 1):
            last = beams.tokens[:, :, -1] if length else torch.full_like(beams.log_probabilities, BOS, dtype=torch.long)
            log_probabilities, weights, state = model.step(last.flatten(), memory, state)
            attention = head_mean(weights) if with_attention else None
            log_probabilities = permit(log_probabilities, length, limits.repeat_interleave(size), self.min_length, EOS)
            beams, parents = self._advance(beams, log_probabilities, attention, source.lengths, finished)
            going_on = self._unfinished(beams, finished)
            if not len(going_on):
                break
            if len(going_on) < len(beams.sentences):
                beams, parents, limits = beams.keep(going_on), parents[going_on], limits[going_on]
                memory = memory.select((going_on[:, None] * size + torch.arange(size, device=rows.device)).flatten())
            state = state.select(parents.flatten())
        return [sorted(found, key=lambda hypothesis: -hypothesis.score)[: self.n_best] for found in finished]

    def _first(self, sentences: Tensor, memory: Tensor, with_attention: bool) -> _Beams:
        """One empty prefix for each sentence, in the first of its beams."""
        log_probabilities = memory.new_full((len(sentences), self.beam_size), -torch.inf)
        log_probabilities[:, 0] = 0.0
        tokens = sentences.new_empty((len(sentences), self.beam_size, 0))
        attention = memory.new_empty((len(sentences), self.beam_size, 0, memory.shape[1])) if with_attention else None
        return _Beams(sentences, log_probabilities, tokens, attention)

    def _advance(
        self,
        beams: _Beams,
        log_probabilities: Tensor,
        attention: Tensor | None,
        source_lengths: Tensor,
        finished: list[list[Hypothesis]],
    ) -> tuple[_Beams, Tensor]:
        """Extends every prefix by its best tokens, and moves those that end to ``finished``.

        Args:
            beams: The open prefixes.
            log_probabilities: ``(open * beam, vocabulary)``, of the next token.
            attention: ``(open * beam, source_len)``, of the step, or None.
            source_lengths: ``(batch,)``.
            finished: For each sentence of the batch its hypotheses so far; new ones are added.

        Returns:
            The new open prefixes, and ``(open, beam)`` the row of the decoder state that each continues.
        """
        open_count, size = beams.log_probabilities.shape
        vocabulary = log_probabilities.shape[1]
        totals = (beams.log_probabilities.flatten()[:, None] + log_probabilities).view(open_count, size * vocabulary)
        # At most `size` of the best 2 * size continuations end, so that enough stay open.
        candidates, flat = totals.topk(min(2 * size, totals.shape[1]), dim=1)
        parent, token = flat // vocabulary, flat % vocabulary
        row = parent + torch.arange(open_count, device=parent.device)[:, None] * size
        ends = (token == EOS) & candidates.isfinite()
        for position, rank in ends[:, :size].nonzero().tolist():
            sentence = int(beams.sentences[position])
            beam = int(parent[position, rank])
            prefix = beams.tokens[position, beam].tolist()
            rows = None
            if attention is not None and beams.attention is not None:
                now = attention[int(row[position, rank])][None]
                rows = crop(torch.cat([beams.attention[position, beam], now]), int(source_lengths[sentence]))
            total = float(candidates[position, rank])
            score = total / ((6 + len(prefix)) / 6) ** self.length_penalty
            finished[sentence].append(Hypothesis(prefix, score, total, rows))
        open_candidates = candidates.masked_fill(token == EOS, -torch.inf)
        width = min(size, open_candidates.shape[1])
        kept, order = open_candidates.topk(width, dim=1)
        if width < size:
            kept = torch.nn.functional.pad(kept, (0, size - width), value=-torch.inf)
            order = torch.nn.functional.pad(order, (0, size - width))
        parents, new_tokens = row.gather(1, order), token.gather(1, order)
        tokens = torch.cat([beams.tokens.flatten(0, 1)[parents], new_tokens[:, :, None]], dim=2)
        history = None
        if attention is not None and beams.attention is not None:
            history = torch.cat([beams.attention.flatten(0, 1)[parents], attention[parents][:, :, None]], dim=2)
        return _Beams(beams.sentences, kept, tokens, history), parents

    def _unfinished(self, beams: _Beams, finished: list[list[Hypothesis]]) -> Tensor:
        """The positions of the open sentences that go on."""
        full = [len(finished[sentence]) >= self.beam_size for sentence in beams.sentences.tolist()]
        dead = beams.log_probabilities[:, 0] == -torch.inf
        return (~(torch.tensor(full, device=dead.device) | dead)).nonzero().squeeze(1)
