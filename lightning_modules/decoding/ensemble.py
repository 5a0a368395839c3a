"""Several models that search and score as one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from datamodules.batch import Padded, SequenceBatch
from lightning_modules.decoding.prefixes import Integers
from lightning_modules.decoding.search import Selectable, Steppable


@dataclass(frozen=True)
class EnsembleState:
    """The memories, or the states, of the members of an ensemble.

    Attributes:
        parts: One for each member.
    """

    parts: tuple[Selectable, ...]

    def select(self, rows: Tensor) -> EnsembleState:
        """The given rows ``(new_rows,)`` of every part."""
        return EnsembleState(tuple(part.select(rows) for part in self.parts))


class Member(Steppable[Any, Any], Protocol):
    """What an ensemble needs of a model."""

    def score(self, batch: SequenceBatch) -> Tensor:
        """Log-probabilities of target tokens and EOS, ``(batch, target_len)``; 0 on padding."""


class Ensemble:
    """Models with one target vocabulary, whose probabilities are averaged at each step.

    ``log P(y) = log(1/n sum_m P_m(y))``: the arithmetic mean of the members' distributions (the linear opinion pool of
    Stone 1961), as is usual for ensembles of translation models (Sutskever et al. 2014, section 3.6). The members may
    differ in everything but the vocabularies.

    Args:
        members: The models, at least one; in evaluation mode.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = tuple(members)

    def encode(self, source: Padded) -> tuple[EnsembleState, EnsembleState]:
        """Encodes a batch with every member."""
        memories, states = zip(*(member.encode(source) for member in self.members), strict=True)
        return EnsembleState(memories), EnsembleState(states)

    def step(self, tokens: Tensor, memory: EnsembleState, state: EnsembleState) -> tuple[Tensor, Tensor, EnsembleState]:
        """One step of every member.

        Args:
            tokens: ``(rows,)``, the last token of each prefix.
            memory: From :meth:`encode`.
            state: From :meth:`encode` or the last step.

        Returns:
            Log-probabilities ``(rows, target_vocabulary)``, the attention weights of all members' heads side by side
            ``(rows, heads, source_len)``, and the next state.
        """
        parts = zip(self.members, memory.parts, state.parts, strict=True)
        found, weights, states = zip(*(member.step(tokens, *part) for member, *part in parts), strict=True)
        return _log_mean(found), torch.cat(weights, dim=1), EnsembleState(states)

    def length_limits(self, source_lengths: Integers) -> Integers:
        """The most tokens of a hypothesis of each source: what the most generous member would allow."""
        limits: Integers = np.max([member.length_limits(source_lengths) for member in self.members], axis=0)
        return limits

    def score(self, batch: SequenceBatch) -> Tensor:
        """Log-probabilities of given target tokens and EOS, ``(batch, target_len)``; 0 on padding."""
        scores = _log_mean([member.score(batch) for member in self.members])
        return scores.masked_fill(~batch.target_output.mask, 0.0)


def _log_mean(log_probabilities: Sequence[Tensor]) -> Tensor:
    """The logarithm of the mean of probabilities, elementwise."""
    return torch.stack(tuple(log_probabilities)).logsumexp(dim=0) - math.log(len(log_probabilities))
