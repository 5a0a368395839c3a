"""Greedy search."""

from __future__ import annotations

import torch
from torch import Tensor

from datamodules.batch import BOS, EOS, Padded
from lightning_modules.decoding.hypothesis import Hypothesis
from lightning_modules.decoding.search import Search, Steppable, crop, head_mean, permit


class GreedySearch(Search):
    """Takes the most probable token at each step. The score is the log-probability.

    Args:
        max_length: Most tokens of a hypothesis, EOS not counted.
        max_ratio: Also at most this many times the source's length, plus 10; None for no such limit.
        min_length: Fewest tokens of a hypothesis, EOS not counted.
    """

    def __call__(self, model: Steppable, source: Padded, with_attention: bool = False) -> list[list[Hypothesis]]:
        """One hypothesis for each source; see :meth:`Search.__call__`."""
        memory, state = model.encode(source)
        limits = self._limits(source)
        open_rows = torch.arange(len(source), device=source.values.device)
        tokens = torch.full_like(open_rows, BOS)
        scores = memory.values.new_zeros(len(source))
        chosen: list[list[int]] = [[] for _ in range(len(source))]
        attended: list[list[Tensor]] = [[] for _ in range(len(source))]
        for length in range(self.max_length + 1):
            log_probabilities, weights, state = model.step(tokens, memory, state)
            best, tokens = permit(log_probabilities, length, limits, self.min_length, EOS).max(dim=-1)
            scores[open_rows] += best
            attention = head_mean(weights) if with_attention else None
            for position, (row, token) in enumerate(zip(open_rows.tolist(), tokens.tolist(), strict=True)):
                if token != EOS:
                    chosen[row].append(token)
                if attention is not None:
                    attended[row].append(attention[position])
            going_on = (tokens != EOS).nonzero().squeeze(1)
            if not len(going_on):
                break
            if len(going_on) < len(open_rows):
                open_rows, tokens, limits = open_rows[going_on], tokens[going_on], limits[going_on]
                memory, state = memory.select(going_on), state.select(going_on)
        return [
            [Hypothesis(ids, score, score, crop(torch.stack(rows), source_length) if rows else None)]
            for ids, score, rows, source_length in zip(
                chosen, scores.tolist(), attended, source.lengths.tolist(), strict=True
            )
        ]
