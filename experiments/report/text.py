"""A report in Markdown."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tabulate import tabulate

from experiments.processes.machine import Machine
from experiments.report.plan import Exercise, Report
from experiments.report.verdicts import Finding, Verdict
from experiments.storage.layout import RECORD
from experiments.storage.shell import command
from experiments.studies.comparison import Comparison
from experiments.studies.fairness import fairness_lines
from experiments.studies.plan import Key, PlannedRun
from experiments.studies.report import counted, markdown_table, result_table, without_empty_columns
from experiments.studies.results import Row
from experiments.studies.study import Study

PACKAGES = ("torch", "lightning", "numpy")
"""Whose versions a report tells."""


@dataclass(frozen=True)
class Done:
    """An exercise, and what is there of it.

    Attributes:
        exercise: The exercise.
        study: Its study.
        runs: All runs of the study that are compared.
        rows: The rows of those that are finished.
        comparisons: What is shown of it.
        verdicts: One for each claim.
        pictures: Paths of its figures, from where the text will stand.
        results: Path of the file with a row for each run, likewise; none where nothing was run.
        costs: What its models cost, in Markdown; empty where that was not measured.
        failure: Why some runs are missing; empty where none failed.
    """

    exercise: Exercise
    study: Study
    runs: Sequence[PlannedRun]
    rows: Mapping[Key, Row]
    comparisons: Sequence[Comparison]
    verdicts: Sequence[Verdict]
    pictures: Sequence[str]
    results: Sequence[str]
    costs: str
    failure: str


def report_text(report: Report, preset: str, seeds: Sequence[int], done: Sequence[Done]) -> str:
    """Words a report.

    Args:
        report: The report.
        preset: The size of its studies.
        seeds: The seeds of each variant.
        done: Its exercises.

    Returns:
        Markdown.
    """
    parts = [
        f"# {report.title}",
        " ".join(report.about.split()),
        _how_made(preset, seeds, done),
        "## The claims",
        _claims(done),
        _how_judged(),
    ]
    for each in done:
        parts += _exercise(each, preset)
    return "\n\n".join(part for part in parts if part) + "\n"


def _how_made(preset: str, seeds: Sequence[int], done: Sequence[Done]) -> str:
    rows = [row for each in done for row in each.rows.values()]
    planned = sum(len(each.runs) for each in done)
    commits = sorted({row["commit"] or "unknown" for row in rows})
    seconds = [float(row["seconds"]) for row in rows if row["seconds"]]
    unknown = len(rows) - len(seconds)
    but = f", but for {counted(unknown, 'run')} that went on after a stop" if unknown else ""
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    of = f", commit {', '.join(commits)}" if commits else ""
    return (
        f"Preset `{preset}`, seeds {', '.join(map(str, seeds))}; {len(rows)} of {planned} runs are finished{of}. "
        f"They took {sum(seconds) / 60:.1f} minutes of training in all{but}"
        f"{_machines(rows)}. The page was written with Python {platform.python_version()}, {versions}."
    )


def _machines(rows: Sequence[Row]) -> str:
    """On what the runs were made, as their directories tell it."""
    found = {}
    for row in rows:
        path = Path(row["run"]) / RECORD
        if path.is_file():
            machine: Machine = json.loads(path.read_text(encoding="utf-8"))["machine"]
            on = ", ".join(machine["devices"]) or "no GPU"
            has = f"{counted(machine['cores'], 'core')}, {counted(machine['threads'], 'thread')} a run, {on}"
            found[f"{machine['processor']}, {has}"] = True
    return f", on {'; '.join(found)}" if found else ""


def _claims(done: Sequence[Done]) -> str:
    lines = [
        [verdict.claim.says, verdict.outcome, f"`seqlab study {each.exercise.study}`", each.exercise.title]
        for each in done
        for verdict in each.verdicts
    ]
    names = ["the lecture says", "verdict", "by", "where"]
    return tabulate(lines, headers=names, tablefmt="pipe", colglobalalign="left", disable_numparse=True)


def _how_judged() -> str:
    return (
        "A verdict is computed from the runs. What a claim foretells is compared seed by seed: a paired t-test of "
        "Student's for each comparison, at 5 percent for the whole claim after Holm (1979). It *holds* where each "
        "difference is told apart and is on the side that the claim says; *does not hold* where one is told apart on "
        "the other side, and none on the claim's; *holds in part* between the two. *Not told apart* says that the runs "
        "do not decide, not that the variants are equal; how many seeds would decide, four times of five, if the "
        "difference is as large as the one seen, is told beside it (Cohen 1988)."
    )


def _exercise(done: Done, preset: str) -> list[str]:
    exercise, study = done.exercise, done.study
    parts = [
        f"## {exercise.title}",
        f"*{study.question}*",
        _command(preset, "study", exercise.study, *(word for panel in exercise.panels for word in ("--panel", panel))),
        " ".join(exercise.note.split()),
    ]
    if done.failure:
        parts.append(f"WARNING: {done.failure}")
    if not done.rows:
        return [*parts, "Not run."]
    parts += fairness_lines(study, done.rows)
    parts += [f"Each run, with its command, is a row of [{Path(path).name}]({path})." for path in done.results]
    for verdict in done.verdicts:
        parts += [f"**“{verdict.claim.says}”: {verdict.outcome}.**", _findings(verdict.findings)]
    for comparison in done.comparisons:
        parts += [f"### {_capitalised(comparison.metric.title)}", markdown_table(result_table(study, comparison))]
    parts += [f"![{Path(picture).stem}]({picture})" for picture in done.pictures]
    if done.costs:
        parts += ["### What they cost", _command(preset, "benchmark", "models"), done.costs.strip()]
    return parts


def _capitalised(title: str) -> str:
    return title[:1].upper() + title[1:]


def _command(preset: str, *words: str) -> str:
    """What runs something alone, of the report's size, as a line to be typed."""
    return f"    {command('seqlab', *words, *(() if preset == 'quick' else ('--preset', preset)))}"


def _findings(findings: Sequence[Finding]) -> str:
    """A table of what was foretold, and what was found of it."""
    names = ["foretold", "found", "difference", "interval", "seeds", "metric", "panel"]
    lines = []
    for finding in findings:
        expected, difference = finding.expectation, finding.difference
        told = f"{finding.outcome} (about {finding.needed} seeds would)" if finding.needed else finding.outcome
        line = [f"{expected.variant}: {expected.expected} than {expected.than}", told]
        line += ["" if difference is None else f"{difference.mean:+.3g}"]
        bounded = difference is not None and difference.low is not None and difference.high is not None
        line += [f"{difference.low:+.3g} to {difference.high:+.3g}" if difference and bounded else ""]
        lines.append([*line, str(finding.pairs or ""), f"`{finding.column}`", finding.panel])
    return markdown_table(without_empty_columns(names, lines))
