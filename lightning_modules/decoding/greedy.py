"""Greedy search."""

from __future__ import annotations

from torch import Tensor

from lightning_modules.decoding.single_path import SinglePathSearch
from lightning_modules.kernels.argmax import most_probable


class GreedySearch(SinglePathSearch):
    """Takes the most probable token at each step. The score is the log-probability.

    Args:
        max_length: Most tokens of a hypothesis, EOS not counted. If neither this nor max_ratio is given, the limit
            comes of the training pairs: about twice the longest target, and 1.25 times the greatest ratio of lengths.
        max_ratio: At most this many times the source's length, plus 10.
        min_length: Fewest tokens of a hypothesis, EOS not counted.
        no_repeat_ngram_size: No sequence of this many tokens comes twice in a hypothesis; 0 for no such rule.
        allow_unknown: Whether a hypothesis may have the unknown token, ``<unk>``; a forced prefix may in any case.
    """

    def _choose(self, log_probabilities: Tensor) -> Tensor:
        return most_probable(log_probabilities)
