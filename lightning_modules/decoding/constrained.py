"""Beam search for hypotheses that have given phrases in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from datamodules.batch import PAD, Padded
from datamodules.errors import UserError
from lightning_modules.decoding.beam import BeamSearch
from lightning_modules.decoding.continuations import best_continuations
from lightning_modules.decoding.prefixes import Integers, Numbers, Prefixes
from lightning_modules.decoding.rules import Rules
from lightning_modules.decoding.search import MemoryT, StateT, Steppable
from lightning_modules.decoding.terms import Terms


def constrained(search: BeamSearch, terms: Sequence[Terms]) -> BeamSearch:
    """The search of one batch for hypotheses that have the phrases of their source (Post and Vilar 2018).

    Sources without phrases are searched as ever. A wider beam finds better places for the phrases.

    Args:
        search: The search whose settings hold.
        terms: For each source of the batch its phrases.
    """
    return _ConstrainedBeamSearch(search, terms)


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
        return replace(rules, limits=np.maximum(rules.limits, needed))

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
