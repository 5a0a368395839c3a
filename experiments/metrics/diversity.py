"""How different from each other the sentences are that a model writes."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.metrics.measure import TextMetric, number_of
from experiments.metrics.summaries import checked_order, lowered_words, ngrams


class Distinct(TextMetric):
    """Different n-grams over all n-grams of a corpus of hypotheses, 0 to 1 (Li et al. 2016, section 5.3).

    A model that answers everything alike is near 0. It falls with the size of the corpus: compare on the same one.

    Args:
        order: Words of an n-gram; the name tells it, as ``distinct_2``.

    Raises:
        UserError: The order is below 1.
    """

    unit = "share of n-grams"

    def __init__(self, order: int = 1) -> None:
        self.order = checked_order(self, order)
        self.name = f"distinct_{order}"

    def counts(self, hypothesis: str, reference: str) -> Sequence[float]:
        """The n-grams, a number for each: what differs does not add up; see :meth:`TextMetric.counts`."""
        return [number_of(" ".join(each)) for each in ngrams(lowered_words(hypothesis), self.order)]

    def over(self, counts: Sequence[Sequence[float]]) -> float:
        """See :meth:`CorpusMetric.over`."""
        return self.value([len({number for each in counts for number in each}), sum(map(len, counts))])

    def value(self, sums: Sequence[float]) -> float:
        """The quotient of different n-grams and all of them; 0 where nothing was written."""
        return sums[0] / sums[1] if sums[1] else 0.0
