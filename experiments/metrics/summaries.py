"""Metrics on summaries: what they share with the reference, and what with the text that they sum up."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from datamodules.errors import UserError
from experiments.metrics.measure import CorpusMetric, Example, TextMetric

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer

_WORD = re.compile(r"\w+")


def lowered_words(text: str) -> list[str]:
    """The words of a text in small letters, without marks.

    Args:
        text: Raw text.
    """
    return _WORD.findall(text.lower())


def ngrams(words: Sequence[str], order: int) -> Iterator[tuple[str, ...]]:
    """The n-grams of a text, in order; none where it has fewer words.

    Args:
        words: Its words.
        order: Words of each.
    """
    return zip(*(words[start:] for start in range(order)), strict=False)


class Rouge(TextMetric):
    """ROUGE (Lin 2004), the mean over the sentences of F1, 0 to 100: by the package rouge-score, Porter's stemmer.

    Raises:
        UserError: The package is not installed.
    """

    unit = "ROUGE F1 (0 to 100)"

    def __init__(self) -> None:
        try:
            from rouge_score.rouge_scorer import RougeScorer
        except ModuleNotFoundError as error:
            raise UserError(
                f"trainer.callbacks: {type(self).__name__} needs the package rouge-score: pip install 'seqlab[rouge]', "
                "or leave the metric out of TextMetrics"
            ) from error
        self._scorer: RougeScorer = RougeScorer([self._kind], use_stemmer=True)

    @property
    def _kind(self) -> str:
        return self.name.replace("_", "")

    def counts(self, hypothesis: str, reference: str) -> Sequence[float]:
        """F1, and 1 sentence; see :meth:`TextMetric.counts`."""
        return self._scorer.score(reference, hypothesis)[self._kind].fmeasure, 1

    def value(self, sums: Sequence[float]) -> float:
        """See :meth:`CorpusMetric.value`."""
        return 100.0 * sums[0] / sums[1]

    @property
    def signature(self) -> str:
        """The package's version, and what it was told."""
        from importlib.metadata import version

        return f"rouge-score:{version('rouge-score')}|f1|stemmer:porter"


class Rouge1(Rouge):
    """ROUGE-1: words in common."""

    name = "rouge_1"


class Rouge2(Rouge):
    """ROUGE-2: pairs of neighbouring words in common."""

    name = "rouge_2"


class RougeL(Rouge):
    """ROUGE-L: the longest sequence of words that both have in the same order."""

    name = "rouge_l"

    @property
    def _kind(self) -> str:
        return "rougeL"


class Novelty(CorpusMetric):
    """The share of the n-grams that were written which the source lacks, 0 to 1 (See et al. 2017, section 6.2).

    Words are compared in small letters, without marks.

    Args:
        order: Words of an n-gram; the name tells it, as ``novelty_2``.

    Raises:
        UserError: The order is below 1.
    """

    unit = "share of n-grams"

    def __init__(self, order: int = 1) -> None:
        self.order = checked_order(self, order)
        self.name = f"novelty_{order}"

    def of_example(self, hypothesis: str, example: Example) -> Sequence[float]:
        """See :meth:`CorpusMetric.of_example`."""
        written = list(ngrams(lowered_words(hypothesis), self.order))
        known = set(ngrams(lowered_words(example.source), self.order))
        return sum(each not in known for each in written), len(written)

    def value(self, sums: Sequence[float]) -> float:
        """See :meth:`CorpusMetric.value`; 0 where nothing was written."""
        return sums[0] / sums[1] if sums[1] else 0.0


class CopyRate(CorpusMetric):
    """The share of hypotheses that stand in their source as they are, word for word, 0 to 1."""

    name = "copy_rate"
    unit = "share of sentences"

    def of_example(self, hypothesis: str, example: Example) -> Sequence[float]:
        """See :meth:`CorpusMetric.of_example`; one without a word counts as written, not copied."""
        words, source = lowered_words(hypothesis), lowered_words(example.source)
        return int(bool(words) and tuple(words) in ngrams(source, len(words))), 1

    def value(self, sums: Sequence[float]) -> float:
        """See :meth:`CorpusMetric.value`."""
        return sums[0] / sums[1]


class LengthRatio(TextMetric):
    """Words that were written for each word of the references."""

    name = "length_ratio"
    unit = "words per word"

    def counts(self, hypothesis: str, reference: str) -> Sequence[float]:
        """See :meth:`TextMetric.counts`."""
        return len(hypothesis.split()), len(reference.split())

    def value(self, sums: Sequence[float]) -> float:
        """See :meth:`CorpusMetric.value`; 0 for references without any word."""
        return sums[0] / sums[1] if sums[1] else 0.0


def checked_order(metric: CorpusMetric, order: int) -> int:
    """The order, if there can be such n-grams.

    Args:
        metric: Whose it is, for the error.
        order: Words of an n-gram.

    Raises:
        UserError: It is below 1.
    """
    if order < 1:
        raise UserError(f"order of {type(metric).__name__} is {order}: give at least 1")
    return order
