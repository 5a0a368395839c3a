"""What a search returns."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Hypothesis:
    """One output sequence found for one source.

    Attributes:
        ids: The target ids, without BOS and EOS.
        score: What the search ranks by: the log-probability, in beam search with its penalties.
        log_probability: Natural logarithm of the probability of the ids and EOS, given the source.
        attention: ``(len(ids) + 1, source_len)``: rows are the target tokens and EOS, columns the source tokens and
            EOS, heads averaged; None where it was not asked for, or the model has none.
        truncated: Whether it ends at the search's limit of length, where the model would have gone on.
    """

    ids: list[int]
    score: float
    log_probability: float
    attention: Tensor | None = None
    truncated: bool = False
