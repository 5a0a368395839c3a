"""The choice of least risk, against sums written out, and where it differs from the most probable."""

import math

import pytest
from sacrebleu import sentence_bleu, sentence_chrf

from experiments.tools.translation.minimum_bayes_risk import UTILITIES, least_risk
from lightning_modules.decoding.hypothesis import Hypothesis


def found(*log_probabilities: float) -> list[Hypothesis]:
    return [Hypothesis([position], each, each) for position, each in enumerate(log_probabilities)]


def test_samples_vote() -> None:
    """The likeliest was drawn once, another thrice."""
    texts = ["a", "b", "b", "c", "b"]
    best, *others = least_risk(found(-0.1, -2.0, -2.0, -1.0, -2.0), texts, UTILITIES["exact"](), drawn=True)
    assert best.ids == [1]
    assert best.score == pytest.approx(100 * 3 / 5)
    assert [each.ids for each in others] == [[0], [3]], "of equal ones, the likelier first"
    assert best.log_probability == -2.0


@pytest.mark.parametrize(("name", "score"), [("bleu", sentence_bleu), ("chrf", sentence_chrf)])
@pytest.mark.parametrize("drawn", [True, False])
def test_the_expected_utility(name: str, score: object, drawn: bool) -> None:
    texts = ["the dog runs in the park", "a dog runs in a park", "a dog is running in the park", "the cat sleeps"]
    logs = [-4.0, -4.2, -4.1, -3.9]
    weights = [0.25] * 4 if drawn else [math.exp(each) / sum(map(math.exp, logs)) for each in logs]
    ranked = least_risk(found(*logs), texts, UTILITIES[name](), drawn)
    assert len(ranked) == 4
    for hypothesis in ranked:
        text = texts[hypothesis.ids[0]]
        scores = [score(text, [other]).score for other in texts]
        assert hypothesis.score == pytest.approx(sum(w * s for w, s in zip(weights, scores, strict=True)))
    assert ranked[-1].ids == [3], "the most probable agrees with none"
    assert [each.score for each in ranked] == sorted((each.score for each in ranked), reverse=True)


def test_equal_texts_of_other_ids_are_one() -> None:
    """A tokenizer may write one text in two ways; their probabilities add up."""
    best, other = least_risk(found(-1.0, -1.5, -1.5), ["a", "b", "b"], UTILITIES["exact"](), drawn=False)
    total = math.exp(-1.0) + 2 * math.exp(-1.5)
    assert (best.ids, other.ids) == ([1], [0])
    assert best.score == pytest.approx(100 * 2 * math.exp(-1.5) / total)
