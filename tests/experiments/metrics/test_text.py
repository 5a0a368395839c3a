"""Metrics on text: sums of sentences give what the whole corpus gives, by sacreBLEU and by an edit distance in full."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from sacrebleu import metrics as sacrebleu

from experiments.metrics import (
    BLEU,
    CharacterErrorRate,
    ChrF,
    ExactMatch,
    SymbolErrorRate,
    TextMetric,
    WordErrorRate,
)

WORDS = ["a", "man", "in", "blue", "shirt", "stands", "on", "the", "ladder", ",", "cleaning", "a", "window", "."]


def corpus(seed: int, shortest: int = 0) -> tuple[list[str], list[str]]:
    """Hypotheses, and references that are like them."""
    generator = random.Random(seed)
    references = [" ".join(generator.choices(WORDS, k=generator.randint(max(1, shortest), 9))) for _ in range(60)]
    hypotheses = [
        " ".join(word if generator.random() < 0.7 else generator.choice(WORDS) for word in each.split())[
            generator.randint(0, 5) :
        ]
        for each in references
    ]
    return hypotheses, references


def measured(metric: TextMetric, hypotheses: Sequence[str], references: Sequence[str]) -> float:
    metric = metric.of_corpus(references)
    counts = [metric.counts(*pair) for pair in zip(hypotheses, references, strict=True)]
    half = len(counts) // 2  # as two processes would
    shares = [[sum(each) for each in zip(*share, strict=True)] for share in (counts[:half], counts[half:])]
    return metric.value([sum(each) for each in zip(*shares, strict=True)])


def edits(one: Sequence[str], other: Sequence[str]) -> int:
    """Levenshtein's distance by the whole table."""
    row = list(range(len(other) + 1))
    for i, first in enumerate(one, start=1):
        before, row[0] = row[0], i
        for j, second in enumerate(other, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (first != second))
    return row[-1]


def test_bleu_and_chrf_are_sacrebleus(seed: int) -> None:
    hypotheses, references = corpus(seed)
    bleu, chrf = sacrebleu.BLEU(), sacrebleu.CHRF()
    expected = bleu.corpus_score(hypotheses, [references]), chrf.corpus_score(hypotheses, [references])
    assert measured(BLEU(), hypotheses, references) == expected[0].score
    assert measured(ChrF(), hypotheses, references) == expected[1].score
    assert BLEU().of_corpus(references).signature == str(bleu.get_signature())
    assert ChrF().signature == str(chrf.get_signature())


def test_bleu_of_short_references_counts_shorter_ngrams() -> None:
    hypotheses, references = ["man", "ladder", "shirt"], ["man", "window", "shirt"]
    expected = sacrebleu.BLEU(max_ngram_order=1, effective_order=True).corpus_score(hypotheses, [references])
    assert measured(BLEU(), hypotheses, references) == expected.score > 0
    assert "ngram:1" in BLEU().of_corpus(references).signature


def test_edit_rates_and_exact_match(seed: int) -> None:
    hypotheses, references = corpus(seed)
    pairs = list(zip(hypotheses, references, strict=True))
    words = sum(edits(one.split(), other.split()) for one, other in pairs) / sum(
        len(each.split()) for each in references
    )
    characters = sum(edits(one, other) for one, other in pairs) / sum(map(len, references))
    for metric in (WordErrorRate(), SymbolErrorRate()):
        assert measured(metric, hypotheses, references) == pytest.approx(words)
    assert measured(CharacterErrorRate(), hypotheses, references) == pytest.approx(characters)
    assert measured(ExactMatch(), hypotheses, references) == sum(one == other for one, other in pairs) / len(pairs)


def test_an_edit_rate_of_empty_references() -> None:
    assert measured(WordErrorRate(), ["", ""], ["", ""]) == 0
    assert measured(WordErrorRate(), ["a", ""], ["", ""]) == float("inf")
