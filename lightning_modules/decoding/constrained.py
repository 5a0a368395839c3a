"""Beam search for hypotheses that have given phrases in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from datamodules.batch import PAD, UNK, Padded
from datamodules.errors import UserError
from lightning_modules.decoding.beam import BeamSearch
from lightning_modules.decoding.continuations import best_continuations
from lightning_modules.decoding.prefixes import Integers, Numbers, Prefixes
from lightning_modules.decoding.rules import Rules
from lightning_modules.decoding.search import MemoryT, StateT, Steppable
from lightning_modules.decoding.terms import Terms


def constrained(search: BeamSearch, terms: Sequence[Terms]) -> BeamSearch:
    """The search of one batch for hypotheses that have the phrases of their source (Post and Vilar 2018).

    Sources without phrases are searched as ever. A wider beam finds better places for the phrases. Their tokens may
    repeat n-grams where the search's rule forbids it.

    Args:
        search: The search whose settings hold.
        terms: For each source of the batch its phrases.
    """
    return _ConstrainedBeamSearch(search, terms)


@dataclass(frozen=True)
class _TermRules(Rules):
    """What may follow where phrases have to occur: what goes on with one that a prefix lacks may repeat n-grams.

    Attributes:
        terms: Those of each row.
    """

    terms: tuple[Terms, ...] = ()

    def select(self, rows: Integers) -> Self:
        """See :meth:`Rules.select`."""
        return replace(super().select(rows), terms=tuple(self.terms[row] for row in rows.tolist()))

    def without_repeats(self, log_probabilities: Tensor, tokens: Integers) -> Tensor:
        """See :meth:`Rules.without_repeats`."""
        kept = super().without_repeats(log_probabilities, tokens)
        needed = [
            (row, token)
            for row, (terms, before) in enumerate(zip(self.terms, tokens.tolist(), strict=True))
            for token in terms.next_tokens(tuple(before))
        ]
        if needed:
            places = torch.tensor(needed, device=kept.device).unbind(1)
            kept[places] = log_probabilities[places]
        return kept


class _ConstrainedBeamSearch(BeamSearch):
    """See :func:`constrained`."""

    def __init__(self, search: BeamSearch, terms: Sequence[Terms]) -> None:
        super().__init__(**search.arguments())  # type: ignore[arg-type]  # of its type each
        self.terms = terms

    def _is_greedy(self) -> bool:
        return False

    def _rules(self, model: Steppable[MemoryT, StateT], source: Padded, prefixes: Padded | None) -> Rules:
        """What may follow; no limit is below what the phrases take."""
        rules = super()._rules(model, source, prefixes)
        needed = np.array([terms.length for terms in self.terms])
        if prefixes is not None:
            needed = np.where(needed, needed + prefixes.lengths.cpu().numpy(), 0)
        if self.max_length is not None and needed.max() > self.max_length:
            raise UserError(
                f"the phrases of a source have {needed.max()} tokens, with what is forced before them, but max_length "
                f"is {self.max_length}: give fewer, or raise max_length"
            )
        if not self.allow_unknown and any(UNK in phrase for terms in self.terms for phrase in terms.phrases):
            raise UserError("a phrase has the unknown token, which is not written: leave it out, or set allow_unknown")
        return _TermRules(
            np.maximum(rules.limits, needed),
            rules.min_length,
            rules.no_repeat_ngram_size,
            rules.beginnings,
            rules.allow_unknown,
            tuple(self.terms),
        )

    def _continuations(
        self, beams: Prefixes, width: int, allowed: Tensor, count: int
    ) -> tuple[Numbers, Integers, Integers]:
        """Those of sentences without phrases, and those of each with some."""
        sentences = beams.sentences[::width]
        prefixes, tokens = beams.log_probabilities.reshape(-1, width), beams.tokens[:, 1:]
        shape = len(sentences), 2 * self.beam_size
        totals = np.full(shape, -np.inf, np.float64 if allowed.dtype == torch.float64 else np.float32)
        rows = np.repeat(np.arange(len(sentences)) * width, shape[1]).reshape(shape)
        chosen = np.full(shape, PAD)
        has_terms = np.array([self.terms[sentence].length > 0 for sentence in sentences])
        if (plain := (~has_terms).nonzero()[0]).size:
            own = (plain[:, None] * width + np.arange(width)).ravel()
            scores = allowed[torch.as_tensor(own, device=allowed.device)]
            totals[plain, :count], local, chosen[plain, :count] = best_continuations(prefixes[plain], scores, count)
            rows[plain, :count] = own[local]
        for place in has_terms.nonzero()[0].tolist():
            rows_of = slice(place * width, (place + 1) * width)
            terms = self.terms[sentences[place]]
            found = terms.continuations(prefixes[place], tokens[rows_of], allowed[rows_of], self.beam_size, count)
            for position, each in enumerate(found):
                totals[place, position], chosen[place, position] = each.total, each.token
                rows[place, position] = place * width + each.row
        return totals, rows, chosen
