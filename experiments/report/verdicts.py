"""What becomes of a claim: a verdict, computed from the runs of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from experiments.report.plan import Claim, Expectation, compared_metric, compared_panel
from experiments.studies.plan import Key
from experiments.studies.results import Row
from experiments.studies.statistics import ERROR_RATE, Difference, Paired, holm_differences, needed_pairs
from experiments.studies.study import Study

Outcome = Literal["holds", "holds in part", "does not hold", "not told apart", "not run"]
"""What was found of a claim, or of one of its expectations."""


@dataclass(frozen=True)
class Finding:
    """What was found of one expectation.

    Attributes:
        expectation: What was foretold.
        panel: The panel that was compared.
        column: The column of ``results.csv``.
        outcome: Whether it was found.
        difference: The mean difference between the two variants, with its interval; None where no seed is common.
        pairs: Seeds that both have.
        needed: Where they are not told apart: about how many seeds would tell a difference as large as the one seen,
            four times of five, at the level of its test; None where that cannot be said.
    """

    expectation: Expectation
    panel: str
    column: str
    outcome: Outcome
    difference: Difference | None
    pairs: int
    needed: int | None = None


@dataclass(frozen=True)
class Verdict:
    """What was found of a claim.

    Attributes:
        claim: The claim.
        outcome: Of all its expectations together.
        findings: Of each.
    """

    claim: Claim
    outcome: Outcome
    findings: tuple[Finding, ...]


def verdict(claim: Claim, study: Study, rows: Mapping[Key, Row], seeds: Sequence[int]) -> Verdict:
    """Compares what a claim foretells with what was measured.

    Each expectation is a paired t-test over the seeds that both variants have, corrected after Holm over the
    expectations of the claim. A claim holds where all do, and in part where some do; it does not where one is told
    apart the other way, and none holds.

    Args:
        claim: The claim.
        study: Its study.
        rows: The result rows of the finished runs.
        seeds: Those that count.
    """
    pairs = [_paired(each, study, rows, seeds) for each in claim.expectations]
    tested = iter(holm_differences([found for found in pairs if found]))
    findings = tuple(
        _finding(expectation, study, found, next(tested) if found else None)
        for expectation, found in zip(claim.expectations, pairs, strict=True)
    )
    return Verdict(claim, _together([finding.outcome for finding in findings]), findings)


def _paired(expectation: Expectation, study: Study, rows: Mapping[Key, Row], seeds: Sequence[int]) -> Paired | None:
    """What one variant has above the other; None where they have no seed together."""
    name, panel = compared_panel(expectation, study)
    column, _ = compared_metric(expectation, panel)
    both = [[rows.get((name, variant, seed)) for variant in (expectation.variant, expectation.than)] for seed in seeds]
    pairs = [(float(one[column]), float(other[column])) for one, other in both if one and other]
    return Paired.of(pairs) if pairs else None


def _finding(expectation: Expectation, study: Study, paired: Paired | None, difference: Difference | None) -> Finding:
    name, panel = compared_panel(expectation, study)
    column, metric = compared_metric(expectation, panel)
    rises = {"higher": True, "lower": False}
    upward = rises.get(expectation.expected, (expectation.expected == "better") == (metric.better == "higher"))
    needed: int | None = None
    outcome: Outcome
    if paired is None or difference is None:
        outcome = "not run"
    elif not difference.significant:
        outcome = "not told apart"
        needed = needed_pairs(paired, ERROR_RATE if difference.confidence is None else 1 - difference.confidence)
    else:
        outcome = "holds" if (difference.mean > 0) == upward else "does not hold"
    return Finding(expectation, name, column, outcome, difference, len(paired.differences) if paired else 0, needed)


def _together(outcomes: Sequence[Outcome]) -> Outcome:
    kinds = set(outcomes)
    if "not run" in kinds:
        return "not run"
    if len(kinds) == 1:
        return outcomes[0]
    return "holds in part" if "holds" in kinds else "does not hold"
