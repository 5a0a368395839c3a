"""Which tokens may follow a prefix: lengths, n-grams that may not come twice, forced beginnings, no unknown token."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from datamodules.batch import EOS, UNK, Padded
from lightning_modules.decoding.prefixes import Integers, Truth


@dataclass(frozen=True)
class Rules:
    """What may follow the prefixes of a search.

    Attributes:
        limits: ``(rows,)``, the most tokens of each hypothesis: at the limit only EOS may follow.
        min_length: Fewest tokens: before it EOS may not follow.
        no_repeat_ngram_size: No sequence of this many tokens may come twice; 0 for no such rule.
        beginnings: The ids that each hypothesis begins with, ``(rows, prefix_len)``; None where none is forced.
        allow_unknown: Whether :data:`UNK` may follow; a beginning may have it in any case.
    """

    limits: Integers
    min_length: int
    no_repeat_ngram_size: int
    beginnings: Padded | None
    allow_unknown: bool = False

    def select(self, rows: Integers) -> Self:
        """The rules of the given rows ``(new_rows,)``, in their order; a row may be taken several times."""
        forced = self.beginnings
        if forced is not None:
            which = torch.as_tensor(rows, device=forced.values.device)
            forced = Padded(forced.values[which], forced.lengths[which])
        return replace(self, limits=self.limits[rows], beginnings=forced)

    def truncated(self, log_probabilities: Tensor, tokens: Integers) -> Truth:
        """Which prefixes have to end here although the model would go on.

        Args:
            log_probabilities: ``(rows, vocabulary)``, of the next token, before anything is forbidden.
            tokens: ``(rows, length)``, the tokens so far, without BOS.

        Returns:
            ``(rows,)``, True at the limit, where another token than EOS is the most probable of those that may follow.
        """
        cut = self.limits <= tokens.shape[1]
        if cut.any():
            rows = cut.nonzero()[0]
            at_limit = self._known(log_probabilities[torch.as_tensor(rows, device=log_probabilities.device)])
            if self.no_repeat_ngram_size:
                at_limit = self.select(rows).without_repeats(at_limit, tokens[rows])
            cut[rows] = at_limit.argmax(dim=1).cpu().numpy() != EOS
        return cut

    def permit(self, log_probabilities: Tensor, tokens: Integers) -> Tensor:
        """Log-probabilities with what is forbidden set to minus infinity; something is always left.

        Args:
            log_probabilities: ``(rows, vocabulary)``, of the next token; they may be changed in place.
            tokens: ``(rows, length)``, the tokens so far, without BOS.
        """
        length, device = tokens.shape[1], log_probabilities.device
        begun = self._begun(log_probabilities, length)  # which may have the unknown token
        allowed = self._known(log_probabilities)
        if self.no_repeat_ngram_size:
            allowed = self.without_repeats(allowed, tokens)
        if length < self.min_length:
            allowed = self._without_end(allowed)
        at_limit = self.limits <= length
        if at_limit.any():
            ends = torch.full((len(at_limit),), EOS, device=device)
            closed = torch.as_tensor(at_limit, device=device)[:, None]
            allowed = torch.where(closed, _only(log_probabilities, ends), allowed)
        return allowed if begun is None else torch.where(*begun, allowed)

    def without_repeats(self, log_probabilities: Tensor, tokens: Integers) -> Tensor:
        """Minus infinity for each token that would complete a sequence that its prefix has already.

        Args:
            log_probabilities: ``(rows, vocabulary)``, of the next token.
            tokens: ``(rows, length)``, the tokens so far, without BOS.

        Returns:
            The same tensor where nothing is forbidden, else another one.
        """
        so_far = torch.as_tensor(tokens, device=log_probabilities.device)
        return without_repeats(log_probabilities, so_far, self.no_repeat_ngram_size)

    def _begun(self, log_probabilities: Tensor, length: int) -> tuple[Tensor, Tensor] | None:
        """Which rows are still in their beginnings, ``(rows, 1)``, and what they may say; None where none is."""
        if self.beginnings is None or length >= self.beginnings.values.shape[1]:
            return None
        is_begun = (self.beginnings.lengths > length)[:, None]
        return is_begun, _only(log_probabilities, self.beginnings.values[:, length])

    def _known(self, log_probabilities: Tensor) -> Tensor:
        """The unknown token forbidden in place: a column costs nothing, a copy of a large vocabulary does."""
        if not self.allow_unknown:
            log_probabilities[:, UNK : UNK + 1] = -torch.inf  # no column where a vocabulary is that small
        return log_probabilities

    def _without_end(self, allowed: Tensor) -> Tensor:
        """EOS forbidden, except in a row that has nothing else left."""
        longer = allowed.clone()
        longer[:, EOS] = -torch.inf
        if self.no_repeat_ngram_size:
            stuck = longer.amax(dim=1) == -torch.inf
            longer[:, EOS] = torch.where(stuck, allowed[:, EOS], -torch.inf)
        return longer


def without_repeats(log_probabilities: Tensor, tokens: Tensor, size: int) -> Tensor:
    """Minus infinity for each token that would complete a sequence that its prefix has already.

    Args:
        log_probabilities: ``(rows, vocabulary)``, of the next token.
        tokens: ``(rows, length)``, the tokens so far.
        size: Length of the sequences, at least 1.
    """
    if tokens.shape[1] < size:
        return log_probabilities
    ngrams = tokens.unfold(1, size, 1)  # (rows, positions, size)
    context = tokens[:, tokens.shape[1] - size + 1 :]
    seen = (ngrams[:, :, :-1] == context[:, None]).all(dim=2)
    forbidden = torch.where(seen, -torch.inf, torch.inf).to(log_probabilities.dtype)
    return log_probabilities.scatter_reduce(1, ngrams[:, :, -1], forbidden, "amin")


def _only(log_probabilities: Tensor, tokens: Tensor) -> Tensor:
    """Minus infinity for all but one token of each row, ``(rows,)``."""
    column = tokens[:, None]
    alone = torch.full_like(log_probabilities, -torch.inf)
    return alone.scatter(1, column, log_probabilities.gather(1, column))
