"""Metrics on text: what a model wrote against its references."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence

from rapidfuzz.distance import Levenshtein
from sacrebleu import metrics as sacrebleu

from experiments.metrics.measure import TextMetric

NGRAM_ORDER = 4
"""The longest n-grams of BLEU, where the references are sentences."""

LONG_ENOUGH = 0.1
"""The share of the references that have to have n tokens, if BLEU is to count n-grams of that length."""


class BLEU(TextMetric):
    """Corpus BLEU (Papineni et al. 2002) by sacreBLEU: 13a, cased, 0 to 100.

    BLEU-4 is 0 for targets of one or two words, however right they are. So it counts n-grams no longer than a tenth of
    the references are; where that is less than four, the signature says it, as ``ngram:1``.

    Args:
        lowercase: Whether capitals count as small letters; the signature then says ``case:lc``.
    """

    name = "bleu"
    unit = "BLEU, chrF (0 to 100)"

    def __init__(self, lowercase: bool = False) -> None:
        self._lowercase = lowercase
        self._scorer = sacrebleu.BLEU(lowercase=lowercase)
        self._order = NGRAM_ORDER

    def of_corpus(self, references: Sequence[str]) -> BLEU:
        """With the order that the references allow; see :meth:`TextMetric.of_corpus`."""
        metric = BLEU(self._lowercase)
        metric._order = order = ngram_order(references)
        metric._scorer = sacrebleu.BLEU(self._lowercase, max_ngram_order=order, effective_order=order < NGRAM_ORDER)
        metric.counts("", "")  # after which sacreBLEU knows that there is one reference, and can say so
        return metric

    def counts(self, hypothesis: str, reference: str) -> Sequence[float]:
        """Lengths, n-grams that match, and all of them; see :meth:`TextMetric.counts`."""
        counts: Sequence[float] = self._scorer._extract_corpus_statistics([hypothesis], [[reference]])[0]
        return counts

    def value(self, sums: Sequence[float]) -> float:
        """See :meth:`TextMetric.value`."""
        return float(self._scorer._aggregate_and_compute([list(map(int, sums))]).score)

    @property
    def signature(self) -> str:
        """SacreBLEU's."""
        signature = self._scorer.get_signature()
        if self._order < NGRAM_ORDER:
            signature.update("ngram", self._order)
        return str(signature)


class ChrF(TextMetric):
    """chrF2 (Popović 2015) by sacreBLEU: the F-score of character n-grams up to 6, 0 to 100."""

    name = "chrf"
    unit = "BLEU, chrF (0 to 100)"

    def __init__(self) -> None:
        self._scorer = sacrebleu.CHRF()
        self.counts("", "")  # after which sacreBLEU knows that there is one reference, and can say so

    def counts(self, hypothesis: str, reference: str) -> Sequence[float]:
        """N-grams of the hypothesis, of the reference, and of both; see :meth:`TextMetric.counts`."""
        counts: Sequence[float] = self._scorer._extract_corpus_statistics([hypothesis], [[reference]])[0]
        return counts

    def value(self, sums: Sequence[float]) -> float:
        """See :meth:`TextMetric.value`."""
        return float(self._scorer._aggregate_and_compute([list(map(int, sums))]).score)

    @property
    def signature(self) -> str:
        """SacreBLEU's."""
        return str(self._scorer.get_signature())


class ExactMatch(TextMetric):
    """The share of hypotheses that equal their reference letter by letter, 0 to 1."""

    name = "exact_match"
    unit = "share of sentences"

    def counts(self, hypothesis: str, reference: str) -> Sequence[float]:
        """See :meth:`TextMetric.counts`."""
        return int(hypothesis == reference), 1

    def value(self, sums: Sequence[float]) -> float:
        """See :meth:`TextMetric.value`."""
        return sums[0] / sums[1]


class EditRate(TextMetric):
    """Insertions, deletions and substitutions (Levenshtein 1966) for each symbol of the references; 0 is none."""

    better = "lower"

    @abstractmethod
    def symbols(self, text: str) -> Sequence[str]:
        """What is counted of a text.

        Args:
            text: Raw text.
        """

    def counts(self, hypothesis: str, reference: str) -> Sequence[float]:
        """See :meth:`TextMetric.counts`."""
        gold = self.symbols(reference)
        return Levenshtein.distance(self.symbols(hypothesis), gold), len(gold)

    def value(self, sums: Sequence[float]) -> float:
        """See :meth:`TextMetric.value`; infinite where there are edits, but references without any symbol."""
        edits, symbols = sums
        return edits / symbols if symbols else float("inf") if edits else 0.0


class WordErrorRate(EditRate):
    """Edits for each word of the references, words being what stands between spaces (as of speech recognition)."""

    name = "word_error_rate"
    unit = "edits per word"

    def symbols(self, text: str) -> Sequence[str]:
        """The words."""
        return text.split()


class SymbolErrorRate(WordErrorRate):
    """The same of text whose symbols have spaces between them, as pronunciations have: edits per symbol."""

    name = "symbol_error_rate"
    unit = "edits per symbol"


class CharacterErrorRate(EditRate):
    """Edits for each character of the references, spaces included."""

    name = "character_error_rate"
    unit = "edits per character"

    def symbols(self, text: str) -> Sequence[str]:
        """The characters."""
        return text


def ngram_order(references: Sequence[str]) -> int:
    """The length of the longest n-grams that BLEU can count in references: 1 to :data:`NGRAM_ORDER`.

    Args:
        references: Raw text.
    """
    tokenize = sacrebleu.BLEU().tokenizer
    lengths = Counter(min(NGRAM_ORDER, len(tokenize(reference.rstrip()).split())) for reference in references)
    return max(
        (order for order in range(1, NGRAM_ORDER + 1) if _at_least(order, lengths) >= LONG_ENOUGH * lengths.total()),
        default=1,
    )


def _at_least(order: int, lengths: Counter[int]) -> int:
    return sum(count for length, count in lengths.items() if length >= order)
