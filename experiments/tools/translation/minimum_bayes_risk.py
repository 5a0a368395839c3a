"""The hypothesis that the others agree with most, in place of the most probable one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from sacrebleu import metrics as sacrebleu

if TYPE_CHECKING:
    from lightning_modules.decoding.hypothesis import Hypothesis

Utility = Callable[[str, str], float]
"""How good a hypothesis would be if another one were the reference: 0 to 100."""


def _bleu() -> Utility:
    scorer = sacrebleu.BLEU(effective_order=True)
    return lambda hypothesis, reference: float(scorer.sentence_score(hypothesis, [reference]).score)


def _chrf() -> Utility:
    scorer = sacrebleu.CHRF()
    return lambda hypothesis, reference: float(scorer.sentence_score(hypothesis, [reference]).score)


def _exact() -> Utility:
    return lambda hypothesis, reference: 100.0 * (hypothesis == reference)


UTILITIES: Mapping[str, Callable[[], Utility]] = {"bleu": _bleu, "chrf": _chrf, "exact": _exact}
"""By the name that an option gives: sentence BLEU (of the n-grams that there are), sentence chrF, equality."""


def least_risk(
    hypotheses: Sequence[Hypothesis], texts: Sequence[str], utility: Utility, drawn: bool
) -> list[Hypothesis]:
    """Hypotheses by their expected utility, the greatest first (Kumar and Byrne 2004, section 2).

    The expectation is over the hypotheses themselves: samples count alike, as often as they were drawn (Eikema and Aziz
    2020, section 6); those of a beam by their probability among one another.

    Args:
        hypotheses: At least one, all of the same source.
        texts: What each of them writes.
        utility: How good one would be if another were the reference.
        drawn: Whether they are samples.

    Returns:
        One hypothesis for each text; its score is the expected utility. Of equal ones, the more probable is first.
    """
    shares: dict[str, float] = {}
    probabilities = _shares(hypotheses, drawn)
    for text, share in zip(texts, probabilities.tolist(), strict=True):
        shares[text] = shares.get(text, 0.0) + share
    best: dict[str, Hypothesis] = {}
    for text, hypothesis in zip(texts, hypotheses, strict=True):
        if text not in best or hypothesis.log_probability > best[text].log_probability:
            best[text] = hypothesis
    scored = [
        replace(hypothesis, score=sum(share * utility(text, other) for other, share in shares.items()))
        for text, hypothesis in best.items()
    ]
    return sorted(scored, key=lambda each: (-each.score, -each.log_probability))


def _shares(hypotheses: Sequence[Hypothesis], drawn: bool) -> NDArray[np.float64]:
    """What each hypothesis counts, 1 together."""
    if drawn:
        return np.full(len(hypotheses), 1 / len(hypotheses))
    logarithms = np.array([each.log_probability for each in hypotheses], dtype=np.float64)
    weights: NDArray[np.float64] = np.exp(logarithms - logarithms.max())
    return weights / weights.sum()
