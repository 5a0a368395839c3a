"""Diverse beam search."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from datamodules.batch import EOS, Padded
from datamodules.errors import UserError
from lightning_modules.decoding.beam import BeamSearch
from lightning_modules.decoding.continuations import best_continuations
from lightning_modules.decoding.hypothesis import Hypothesis
from lightning_modules.decoding.prefixes import Integers, Numbers, Prefixes, Truth
from lightning_modules.decoding.search import MemoryT, Search, StateT, Steppable


class DiverseBeamSearch(Search):
    """Beams that avoid at each step what the beams before them chose there (Vijayakumar et al. 2018, section 3).

    The beam is cut into groups. The groups of a sentence go one after the other: the log-probability of each token is
    lowered by ``diversity`` for each prefix that a group before keeps open with it at this step (Hamming diversity);
    the end of a hypothesis costs the others nothing. It decides which prefixes are kept; hypotheses are ranked by their
    own log-probability and the length penalty, as in :class:`BeamSearch`. With one group, or a diversity of 0, each
    group is a beam search of its size.

    Args:
        beam_size: Prefixes kept for each sentence, all groups together.
        groups: Number of groups; it divides the beam.
        diversity: What a token costs for each prefix before that chose it, in nats.
        length_penalty: 0 ranks by log-probability, larger values favour longer hypotheses.
        n_best: Hypotheses returned for each sentence; fewer where groups find the same.
        max_length: Most tokens of a hypothesis, EOS not counted.
        max_ratio: At most this many times the source's length, plus 10.
        min_length: Fewest tokens of a hypothesis, EOS not counted.
        no_repeat_ngram_size: No sequence of this many tokens comes twice in a hypothesis; 0 for no such rule.
        allow_unknown: Whether a hypothesis may have the unknown token, ``<unk>``; a forced prefix may in any case.

    Raises:
        UserError: The groups do not divide the beam, n_best is not in 1 to beam_size, or a number is negative.
    """

    def __init__(
        self,
        beam_size: int = 6,
        groups: int = 3,
        diversity: float = 0.5,
        length_penalty: float = 1.0,
        n_best: int = 1,
        max_length: int | None = None,
        max_ratio: float | None = None,
        min_length: int = 0,
        no_repeat_ngram_size: int = 0,
        allow_unknown: bool = False,
    ) -> None:
        super().__init__(max_length, max_ratio, min_length, no_repeat_ngram_size, allow_unknown)
        if groups < 1 or beam_size < 1 or beam_size % groups:
            raise UserError(f"groups is {groups}, which does not divide beam_size, {beam_size}: change one of them")
        if not 0.0 <= diversity < math.inf:
            raise UserError(f"diversity is {diversity}: give 0 or more")
        if not 1 <= n_best <= beam_size:
            raise UserError(f"n_best is {n_best}: give 1 to beam_size, which is {beam_size}")
        self.beam_size = beam_size
        self.groups = groups
        self.diversity = diversity
        self.length_penalty = length_penalty
        self.n_best = n_best
        width = beam_size // groups
        group = BeamSearch(
            width, length_penalty, width, max_length, max_ratio, min_length, no_repeat_ngram_size, 0.0, allow_unknown
        )
        self._beam = _GroupedBeamSearch(group, groups, diversity)

    def check_vocabulary(self, size: int) -> None:
        """Refuses a vocabulary that a group is too large for; see :meth:`Search.check_vocabulary`."""
        self._beam.check_vocabulary(size)

    def _search(
        self, model: Steppable[MemoryT, StateT], source: Padded, with_attention: bool, prefixes: Padded | None
    ) -> list[list[Hypothesis]]:
        """Each sentence once for each of its groups, which know of one another."""
        rows = torch.arange(len(source), device=source.values.device).repeat_interleave(self.groups)
        many = Padded(source.values[rows], source.lengths[rows])
        forced = None if prefixes is None else Padded(prefixes.values[rows], prefixes.lengths[rows])
        found = self._beam(model, many, with_attention, forced)
        return [self._joined(found[start : start + self.groups]) for start in range(0, len(found), self.groups)]

    def _joined(self, groups: list[list[Hypothesis]]) -> list[Hypothesis]:
        """The best of all groups, each once."""
        distinct: dict[tuple[int, ...], Hypothesis] = {}
        for hypotheses in groups:
            for each in hypotheses:
                distinct.setdefault(tuple(each.ids), each)
        return sorted(distinct.values(), key=lambda each: -each.score)[: self.n_best]


class _GroupedBeamSearch(BeamSearch):
    """The beam search of a group, in which every ``groups`` sentences are the groups of one."""

    def __init__(self, group: BeamSearch, groups: int, diversity: float) -> None:
        super().__init__(**group.arguments())  # type: ignore[arg-type]  # of its type each
        self.groups = groups
        self.diversity = diversity

    def _is_greedy(self) -> bool:
        return False

    def _unfinished(self, sentences: Integers, can_win: Truth) -> Truth:
        """All groups of a sentence go on as long as one does: what they choose makes tokens dearer for the others."""
        return can_win.reshape(-1, self.groups).any(axis=1).repeat(self.groups)

    def _continuations(
        self, beams: Prefixes, width: int, allowed: Tensor, count: int
    ) -> tuple[Numbers, Integers, Integers]:
        """Those of the first groups, then of the second ones with the tokens of the first made dearer, and so on."""
        sentences = beams.sentences[::width]
        prefixes, vocabulary = beams.log_probabilities.reshape(-1, width), allowed.shape[1]
        cost = allowed.new_zeros(sentences.max() // self.groups + 1, vocabulary)
        totals = np.empty((len(sentences), count), np.float64 if allowed.dtype == torch.float64 else np.float32)
        rows, tokens = np.empty((2, len(sentences), count), dtype=np.int64)
        for group in range(self.groups):
            here = (sentences % self.groups == group).nonzero()[0]
            if not len(here):
                continue
            own_rows = (here[:, None] * width + np.arange(width)).ravel()
            scores = allowed[torch.as_tensor(own_rows, device=allowed.device)]
            of_sentence = torch.as_tensor(sentences[here] // self.groups, device=allowed.device)
            dear = scores - cost[of_sentence].repeat_interleave(width, dim=0)
            ranked, local_rows, chosen = best_continuations(prefixes[here], dear, count)
            picked = scores[torch.as_tensor(local_rows), torch.as_tensor(chosen)].double().cpu().numpy()
            own = prefixes[here].ravel()[local_rows] + picked
            totals[here] = np.where(np.isfinite(ranked), own, -np.inf)  # else none was left, and the token is any
            rows[here], tokens[here] = own_rows[local_rows], chosen
            goes_on = np.isfinite(totals[here]) & (chosen != EOS)
            kept = goes_on & (goes_on.cumsum(axis=1) <= self.beam_size)
            dearer = torch.as_tensor(self.diversity * kept, device=cost.device).to(cost.dtype)
            ids = torch.as_tensor(chosen, device=cost.device)
            cost.index_put_((of_sentence[:, None].expand_as(ids), ids), dearer, accumulate=True)
        return totals, rows, tokens
