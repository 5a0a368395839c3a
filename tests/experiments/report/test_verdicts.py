"""Verdicts against paired t-tests written out, on numbers that are known."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import fmean, stdev

import pytest

from experiments.report.plan import Claim, Expectation
from experiments.report.verdicts import verdict
from experiments.studies.plan import Key
from experiments.studies.results import Row
from experiments.studies.statistics import MOST_PAIRS, Paired, needed_pairs
from experiments.studies.study import Study, read_study
from tests.experiments.studies.study_files import write_study

METRICS = [{"name": "test/bleu", "better": "higher"}, {"name": "val/loss", "better": "lower"}]
VARIANTS = {"a": None, "b": None, "c": None}


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return read_study(write_study(tmp_path, metrics=METRICS, variants=VARIANTS))


def rows(**values: list[float]) -> dict[Key, Row]:
    """The loss is 100 less the BLEU."""
    return {
        ("", variant, seed): {"test/bleu": str(value), "val/loss": str(100 - value)}
        for variant, given in values.items()
        for seed, value in enumerate(given, start=1)
    }


def claim(*expectations: tuple[str, str, str, str]) -> Claim:
    return Claim(
        says="so",
        expectations=tuple(
            Expectation.model_validate({"variant": variant, "expected": expected, "than": than, "metric": metric})
            for variant, expected, than, metric in expectations
        ),
    )


HIGH, LOW, MIXED = [30.0, 31.0, 30.5], [20.0, 21.2, 20.4], [30.4, 30.2, 31.1]


@pytest.mark.parametrize(
    ("expected", "outcome"),
    [
        ([("a", "better", "b", "test/bleu")], "holds"),
        ([("a", "better", "b", "")], "holds"),
        ([("a", "worse", "b", "test/bleu")], "does not hold"),
        ([("a", "better", "b", "val/loss")], "holds"),
        ([("a", "higher", "b", "val/loss")], "does not hold"),
        ([("a", "lower", "b", "val/loss")], "holds"),
        ([("a", "better", "c", "test/bleu")], "not told apart"),
        ([("a", "better", "b", ""), ("c", "better", "b", "")], "holds"),
        ([("a", "better", "b", ""), ("a", "better", "c", "")], "holds in part"),
        ([("a", "better", "b", ""), ("b", "better", "c", "")], "holds in part"),
        ([("b", "better", "c", ""), ("a", "better", "c", "")], "does not hold"),
    ],
)
def test_outcomes(expected: list[tuple[str, str, str, str]], outcome: str, study: Study) -> None:
    found = verdict(claim(*expected), study, rows(a=HIGH, b=LOW, c=MIXED), [1, 2, 3])
    assert found.outcome == outcome


def test_differences_are_paired_by_seed_and_corrected(study: Study) -> None:
    """Three pairs have two degrees of freedom: t is 4.3027 at 5 percent, and 6.2053 at 2.5 (a printed table)."""
    given = rows(a=HIGH, b=LOW, c=MIXED)
    found = verdict(claim(("a", "better", "b", ""), ("a", "better", "c", "")), study, given, [1, 2, 3])
    for finding, other, quantile in zip(found.findings, (LOW, MIXED), (6.2053, 4.3027), strict=True):
        differences = [one - two for one, two in zip(HIGH, other, strict=True)]
        half = quantile * stdev(differences) / math.sqrt(3)
        assert finding.difference is not None
        assert finding.difference.mean == pytest.approx(fmean(differences))
        assert finding.difference.low == pytest.approx(fmean(differences) - half, rel=1e-4)
        assert finding.difference.high == pytest.approx(fmean(differences) + half, rel=1e-4)
        assert finding.pairs == 3


def test_only_common_seeds_count_and_nothing_is_made_up(study: Study) -> None:
    given = rows(a=HIGH, b=LOW)
    del given["", "b", 2]
    found = verdict(claim(("a", "better", "b", "")), study, given, [1, 2, 3])
    assert (found.outcome, found.findings[0].pairs) == ("holds", 2)
    del given["", "b", 1]
    found = verdict(claim(("a", "better", "b", "")), study, given, [1, 2, 3])
    assert (found.outcome, found.findings[0].needed) == ("not told apart", None)
    assert found.findings[0].difference is not None
    assert verdict(claim(("a", "better", "c", "")), study, given, [1, 2, 3]).outcome == "not run"


def test_seeds_that_would_decide_are_more_than_those_that_did_not(study: Study) -> None:
    """Four comparisons are tested at 0.0125: five seeds with t = 4.2 have p = 0.0137, and would be enough alone."""
    around = [math.sqrt(5) * each / stdev((-2, -1, 0, 1, 2)) for each in (-2, -1, 0, 1, 2)]  # t is the mean
    seeds = [1, 2, 3, 4, 5]
    given = rows(a=[4.2 + each for each in around], b=[0.0] * 5, c=[0.1, 0.0, 0.1, 0.0, -0.3])
    expectations = [("a", "better", "b", ""), *[("c", "better", "b", "")] * 3]
    first = verdict(claim(*expectations), study, given, seeds).findings[0]
    alone = verdict(claim(expectations[0]), study, given, seeds).findings[0]
    assert (alone.outcome, first.outcome) == ("holds", "not told apart")
    assert first.needed is not None
    assert first.needed > len(seeds)


def test_how_many_seeds_would_decide() -> None:
    """Cohen (1988), table 2.4.1 of paired samples: an effect of 1.0 takes 10 pairs, one of 0.8 takes 15, at 0.8."""
    for effect, pairs in ((1.0, 10), (0.8, 15)):
        around = [effect + each for each in (-1.0, 0.0, 1.0)]  # of deviation 1
        assert needed_pairs(Paired(around)) == pytest.approx(pairs, abs=1)
    assert needed_pairs(Paired([0.5])) is None
    assert needed_pairs(Paired([1.0, -1.0])) is None
    assert needed_pairs(Paired([1.01, -1.0])) is None
    assert (needed_pairs(Paired([1.2, 0.8, 1.0])) or MOST_PAIRS) < 4
