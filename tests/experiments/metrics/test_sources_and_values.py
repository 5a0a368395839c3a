"""Metrics of summaries and responses: by hand, by the package that defined them, and in two processes as in one."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from rouge_score.rouge_scorer import RougeScorer

from datamodules.errors import UserError
from experiments.metrics import (
    CopyRate,
    CorpusMetric,
    Distinct,
    Example,
    LengthRatio,
    Novelty,
    Rouge1,
    Rouge2,
    RougeL,
    SlotAccuracy,
)

SOURCE = "Dato is a fast library for reading brelto files. It is new."


def over(metric: CorpusMetric, hypotheses: Sequence[str], examples: Sequence[Example]) -> float:
    return metric.over([metric.of_example(*pair) for pair in zip(hypotheses, examples, strict=True)])


def test_rouge_is_the_packages_mean_over_sentences(seed: int) -> None:
    draw = random.Random(seed)
    words = ["files", "file", "reading", "read", "a", "library", "fast", "."]
    pairs = [[" ".join(draw.choices(words, k=draw.randint(1, 8))) for _ in range(2)] for _ in range(30)]
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)
    scores = [scorer.score(reference, hypothesis) for hypothesis, reference in pairs]
    for metric, kind in ((Rouge1(), "rouge1"), (Rouge2(), "rouge2"), (RougeL(), "rougeL")):
        found = over(metric, [pair[0] for pair in pairs], [Example("", pair[1]) for pair in pairs])
        assert found == pytest.approx(100 * sum(score[kind].fmeasure for score in scores) / len(scores))
    assert over(Rouge1(), ["reading files"], [Example("", "read file")]) == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("metric", "hypothesis", "expected"),
    [
        (Novelty(1), "a slow Library", 1 / 3),
        (Novelty(2), "fast library, for writing", 1 / 3),
        (Novelty(5), "too short", 0.0),
        (CopyRate(), "Library for reading Brelto files", 1.0),
        (CopyRate(), "library for files", 0.0),
        (CopyRate(), "...", 0.0),
        (LengthRatio(), "one two three", 1.5),
        (Distinct(1), "a b a b", 0.5),
        (Distinct(2), "a b a b", 2 / 3),
        (Distinct(1), "", 0.0),
    ],
)
def test_by_hand(metric: CorpusMetric, hypothesis: str, expected: float) -> None:
    assert over(metric, [hypothesis], [Example(SOURCE, "two words")]) == pytest.approx(expected)


def test_different_ngrams_of_a_corpus_are_counted_once_over_all_its_parts() -> None:
    metric = Distinct(2)
    counts = [
        metric.of_example(text, Example("", "")) for text in ("have a nice day", "Have a nice day!", "a nice try")
    ]
    assert metric.over(counts) == pytest.approx(4 / 8)
    assert metric.over(counts[::-1]) == metric.over(counts)


def test_values_count_by_flag_and_as_a_whole() -> None:
    values = ['[["city", "San Jose", "c"], ["time", "7 pm", "a"]]', "[]", '[["time", "8 pm", "a"]]', ""]
    examples = [Example("", "", {"values": each}) for each in values]
    hypotheses = ["in san jose at 8 pm", "Bye", "At 8 pm.", "Bye"]
    assert over(SlotAccuracy(), hypotheses, examples) == pytest.approx(2 / 3)
    assert over(SlotAccuracy("c"), hypotheses, examples) == 1.0
    assert over(SlotAccuracy("a"), hypotheses, examples) == 0.5
    assert over(SlotAccuracy(whole=True), hypotheses, examples) == 0.5
    assert SlotAccuracy("a").name == "slot_accuracy_a"
    assert over(SlotAccuracy("x"), hypotheses, examples) == 1.0


@pytest.mark.parametrize("given", ["{", "[[1, 2]]", "7"])
def test_what_is_no_list_of_values_is_told(given: str) -> None:
    with pytest.raises(UserError, match=r"the column 'values' has .*: give a JSON list of"):
        SlotAccuracy().of_example("", Example("", "", {"values": given}))


def test_orders_below_one_are_refused() -> None:
    for kind in (Novelty, Distinct):
        with pytest.raises(UserError, match=f"order of {kind.__name__} is 0"):
            kind(0)
