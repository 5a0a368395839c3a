"""Minimum risk training: the expected cost of what a model writes is minimised, in place of the loss of gold tokens."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from datamodules.batch import BOS, EOS, Padded, SequenceBatch
from datamodules.errors import UserError
from lightning_modules.decoding.hypothesis import Hypothesis
from lightning_modules.decoding.sampling import SamplingSearch
from lightning_modules.decoding.search import Search


class Cost(ABC):
    """How far a candidate is from its reference, by their ids."""

    @abstractmethod
    def __call__(self, candidate: Sequence[int], reference: Sequence[int]) -> float:
        """The cost, from 0 for the reference itself to 1.

        Args:
            candidate: Target ids, without BOS and EOS.
            reference: The gold ones.
        """


class ExactMatchCost(Cost):
    """1 for whatever is not the reference."""

    def __call__(self, candidate: Sequence[int], reference: Sequence[int]) -> float:
        """The cost; see :meth:`Cost.__call__`."""
        return float(list(candidate) != list(reference))


class SentenceBLEUCost(Cost):
    """1 less a sentence's BLEU, of the target's tokens as they are, which may be pieces of words.

    N-grams of two tokens and more have one added to both counts (Lin and Och 2004, "ORANGE", section 4), so that a
    sentence without a common 4-gram is not 0. Longer n-grams than the candidate has count as 1 of 1.

    Args:
        order: The longest n-grams.

    Raises:
        UserError: ``order`` is below 1.
    """

    def __init__(self, order: int = 4) -> None:
        if order < 1:
            raise UserError(f"order of SentenceBLEUCost is {order}: give at least 1")
        self.order = order

    def __call__(self, candidate: Sequence[int], reference: Sequence[int]) -> float:
        """The cost; see :meth:`Cost.__call__`."""
        if not candidate or not reference:
            return float(list(candidate) != list(reference))
        logs = 0.0
        for size in range(1, self.order + 1):
            own, gold = _ngrams(candidate, size), _ngrams(reference, size)
            added = int(size > 1)
            common = (own & gold).total() + added
            if not common:
                return 1.0
            logs += math.log(common / max(1, own.total() + added))
        brevity = min(0.0, 1.0 - len(reference) / len(candidate))
        return 1.0 - math.exp(brevity + logs / self.order)


@dataclass(frozen=True)
class CandidateBatch(SequenceBatch):
    """Candidates for some sources, each beside its source.

    Attributes:
        owner: ``(candidates,)``, int64, the place of the source among those that they are for.
        costs: ``(candidates,)``, float32.
    """

    owner: Tensor
    costs: Tensor


class SampledModel(Protocol):
    """What minimum risk training needs of a model."""

    def translate(self, source: Padded, search: Search) -> list[list[Hypothesis]]:
        """For each source its hypotheses."""


class MinimumRisk:
    """Minimum risk training (Shen et al. 2016, "Minimum Risk Training for Neural Machine Translation", section 3.2).

    For each source, candidates are drawn from the model, the gold target is put beside them, and equal ones are left
    out. Their probabilities to the power of ``sharpness``, scaled to sum to 1, are a distribution Q; what is minimised
    is the mean cost under Q. It begins from a model that is trained already: ``--init_from``.

    Args:
        cost: Of a candidate.
        samples: Candidates that are drawn for each source; equal ones may come.
        sharpness: The paper's alpha: the greater, the more the most probable candidate has of Q.

    Raises:
        UserError: ``samples`` is below 1, or ``sharpness`` not above 0.
    """

    def __init__(
        self,
        cost: Cost = SentenceBLEUCost(),  # noqa: B008 - the default that --help shows; a cost holds no state
        samples: int = 8,
        sharpness: float = 0.005,
    ) -> None:
        if not 0.0 < sharpness < math.inf:
            raise UserError(f"sharpness of MinimumRisk is {sharpness}: give a number above 0")
        self.cost = cost
        self.samples = samples
        self.sharpness = sharpness
        self._search = SamplingSearch(samples)

    def candidates(self, model: SampledModel, batch: SequenceBatch) -> CandidateBatch:
        """Draws candidates.

        Args:
            model: Draws them.
            batch: Source and gold target.
        """
        golds = [
            target[1 : length - 1]
            for target, length in zip(batch.target.values.tolist(), batch.target.lengths.tolist(), strict=True)
        ]
        drawn = model.translate(batch.source, self._search)
        owners: list[int] = []
        costs: list[float] = []
        targets: list[list[int]] = []
        for place, (gold, hypotheses) in enumerate(zip(golds, drawn, strict=True)):
            for ids in dict.fromkeys((tuple(gold), *(tuple(each.ids) for each in hypotheses))):
                owners.append(place)
                costs.append(self.cost(ids, gold))
                targets.append([BOS, *ids, EOS])
        device = batch.index.device
        owner = torch.tensor(owners, device=device)
        target = Padded.from_sequences(targets)
        return CandidateBatch(
            source=Padded(batch.source.values[owner], batch.source.lengths[owner]),
            target=Padded(target.values.to(device), target.lengths.to(device)),
            index=batch.index[owner],
            owner=owner,
            costs=torch.tensor(costs, device=device),
        )

    def expected_costs(self, scores: Tensor, batch: CandidateBatch) -> Tensor:
        """The expected cost of each source: ``sum_y Q(y | x) cost(y)`` (equation 12).

        Args:
            scores: ``(candidates,)``, the log-probability of each whole candidate.
            batch: From :meth:`candidates`.

        Returns:
            ``(sources,)``.
        """
        sources = int(batch.owner[-1]) + 1
        sharpened = self.sharpness * scores
        greatest = torch.full((sources,), -torch.inf, dtype=scores.dtype, device=scores.device)
        greatest = greatest.scatter_reduce(0, batch.owner, sharpened.detach(), "amax")
        powers = (sharpened - greatest[batch.owner]).exp()
        totals, costs = torch.zeros_like(greatest), torch.zeros_like(greatest)
        totals = totals.index_add(0, batch.owner, powers)
        return costs.index_add(0, batch.owner, powers * batch.costs.to(powers.dtype)) / totals


def _ngrams(ids: Sequence[int], size: int) -> Counter[tuple[int, ...]]:
    return Counter(tuple(ids[start : start + size]) for start in range(len(ids) - size + 1))
