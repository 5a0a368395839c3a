"""A metric of my own."""

from collections.abc import Sequence

from experiments.metrics import TextMetric


class LengthRatio(TextMetric):
    """Characters that were written for each character of the references."""

    name = "length_ratio"
    better = "higher"
    unit = "characters per character"

    def counts(self, hypothesis: str, reference: str) -> Sequence[float]:
        """What adds up over sentences, batches and processes."""
        return len(hypothesis), len(reference)

    def value(self, sums: Sequence[float]) -> float:
        """The ratio of the sums."""
        return sums[0] / sums[1]
