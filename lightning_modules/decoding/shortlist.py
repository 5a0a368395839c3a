"""Target ids that a source is likely to need: a search that looks at these alone has most of its products spared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from datamodules.batch import SPECIAL_PIECES, Padded, SequenceBatch
from lightning_modules.decoding.hypothesis import Hypothesis
from lightning_modules.decoding.prefixes import Integers, Numbers
from lightning_modules.decoding.search import Steppable
from lightning_modules.layers.heads import PartialHead, VocabularyHead
from lightning_modules.layers.state import DecoderState, Memory


@dataclass(frozen=True)
class Shortlist:
    """The target ids that each source id is translated by (Jean et al. 2015, section 4.1, there by a dictionary).

    Attributes:
        offsets: ``(source_vocabulary + 1,)``: the targets of a source id lie from its offset to the next one.
        targets: Target ids, those of one source id after those of the other.
        frequent: Target ids that any source may need: the most frequent ones.
    """

    offsets: Integers
    targets: Integers
    frequent: Integers

    @classmethod
    def learned(
        cls, pairs: tuple[Integers, Integers, Numbers], vocabulary_size: int, best: int, frequent: int
    ) -> Shortlist:
        """The targets that had most of the attention to each source id.

        Args:
            pairs: Source ids, target ids and weights, one of each for each pair of ids that was seen.
            vocabulary_size: Number of source ids.
            best: The most targets of a source id.
            frequent: The number of frequent targets.
        """
        sources, targets, weights = pairs
        order = np.lexsort((targets, -weights, sources))
        counts = np.bincount(sources, minlength=vocabulary_size)
        firsts = np.cumsum(counts) - counts
        sources, targets = sources[order], targets[order]
        kept = np.arange(len(sources)) - firsts[sources] < best
        offsets = np.concatenate([[0], np.cumsum(np.minimum(counts, best))])
        totals = np.bincount(pairs[1], weights)
        return cls(offsets, targets[kept], np.argsort(-totals, kind="stable")[:frequent])

    def ids(self, sources: Iterable[Sequence[int]], forced: Iterable[Sequence[int]] = ()) -> Integers:
        """The target ids that some sources are likely to need, in order; those that are reserved come first.

        Args:
            sources: Source ids of each.
            forced: Target ids that are needed in any case.
        """
        parts = [
            self.targets[self.offsets[each] : self.offsets[each + 1]] for each in set(chain.from_iterable(sources))
        ]
        forced_ids = np.fromiter(chain.from_iterable(forced), dtype=np.int64)
        found: Integers = np.unique(np.concatenate([np.arange(len(SPECIAL_PIECES)), self.frequent, forced_ids, *parts]))
        return found


class HeadedModel(Steppable[Memory, DecoderState], Protocol):
    """A model whose head can be had in part."""

    output: VocabularyHead

    def partial_step(
        self, tokens: Tensor, memory: Memory, state: DecoderState, head: PartialHead
    ) -> tuple[Tensor, Tensor, DecoderState]:
        """As ``step``, with log-probabilities of the head's ids alone."""

    def score(self, batch: SequenceBatch) -> Tensor:
        """Log-probabilities of target tokens and EOS, ``(batch, target_len)``; 0 on padding."""


class Shortlisted:
    """A model over some of its target ids: for a search, id i is the i-th of them.

    Probabilities are those among these ids.

    Args:
        model: The model, whose head does not copy.
        ids: In order, the reserved ones first; from :meth:`Shortlist.ids`.
    """

    def __init__(self, model: HeadedModel, ids: Integers) -> None:
        self._model = model
        self._ids = torch.as_tensor(ids, device=model.output.weight.device)
        self._head = model.output.part(self._ids)

    def encode(self, source: Padded) -> tuple[Memory, DecoderState]:
        """As the model does."""
        return self._model.encode(source)

    def step(self, tokens: Tensor, memory: Memory, state: DecoderState) -> tuple[Tensor, Tensor, DecoderState]:
        """One step; log-probabilities are ``(rows, ids)``. See :meth:`Steppable.step`."""
        return self._model.partial_step(self._ids[tokens], memory, state, self._head)

    def length_limits(self, source_lengths: Integers) -> Integers:
        """As the model's."""
        return self._model.length_limits(source_lengths)

    def score(self, batch: SequenceBatch) -> Tensor:
        """Targets of all ids, as the model scores them."""
        return self._model.score(batch)


def shortened(ids: Integers, sequences: Sequence[Sequence[int]]) -> list[list[int]]:
    """Sequences of target ids as places among some ids.

    Args:
        ids: In order.
        sequences: Of these ids alone.
    """
    return [np.searchsorted(ids, each).tolist() for each in sequences]


def restored(ids: Integers, found: Sequence[Sequence[Hypothesis]]) -> list[list[Hypothesis]]:
    """Hypotheses of places among some ids as those of the ids.

    Args:
        ids: In order.
        found: What a search among them found.
    """
    return [[replace(each, ids=ids[each.ids].tolist() if each.ids else []) for each in row] for row in found]
