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
        heads: ``(heads, len(ids) + 1, source_len)``, the attention weights of every head, those of the lowest layer
            first: rows are the target tokens and EOS, columns the source tokens and EOS; None where they were not
            asked for, or the model has no attention.
        truncated: Whether it ends at the search's limit of length, where the model would have gone on.
    """

    ids: list[int]
    score: float
    log_probability: float
    heads: Tensor | None = None
    truncated: bool = False

    @property
    def attention(self) -> Tensor | None:
        """``(len(ids) + 1, source_len)``: the weights averaged over heads; None where there are none."""
        return None if self.heads is None else self.heads.mean(dim=0)
