"""docs/lecture.md: every number, figure and verdict of it is of a run whose row lies beside it."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from experiments.report.plan import Exercise, find_report, read_report
from experiments.report.text import Done, report_text
from experiments.report.verdicts import verdict
from experiments.studies.comparison import compare
from experiments.studies.plan import Key
from experiments.studies.results import FINISHED, Row
from experiments.studies.study import Study, panels_of, slug
from tests.docs.pages import DOCS, PROJECT

PAGE = DOCS / "lecture.md"
JUDGED = "## The claims"
COSTS = re.compile(r"### What they cost\n.*?(?=\n## |\Z)", re.DOTALL)
"""Measured and no result of a run: seconds and bytes."""


def rows_beside(study: Study) -> dict[Key, Row]:
    with (DOCS / "lecture" / slug(study.name) / "results.csv").open(newline="", encoding="utf-8") as file:
        rows = {(row["panel"], row["variant"], int(row["seed"])): row for row in csv.DictReader(file)}
    assert all(row["status"] == FINISHED for row in rows.values())
    return rows


def done_again(exercise: Exercise, study: Study, page: str, seeds: list[int]) -> Done:
    """An exercise as the page has it, computed from the rows beside it."""
    rows = rows_beside(study)
    expected = {
        (name, variant, seed)
        for name, panel in panels_of(study).items()
        for variant in panel.variants
        for seed in seeds
    }
    assert set(rows) == expected, "the study has other variants or panels than when it was run"
    verdicts = [verdict(claim, study, rows, seeds) for claim in exercise.claims]
    section = page.partition(f"\n## {exercise.title}\n")[2].partition("\n## ")[0]
    headings = [line.removeprefix("### ").lower() for line in section.splitlines() if line.startswith("### ")]
    shown = [each for each in compare(study, rows, seeds) if each.metric.title.lower() in headings]
    place = Path("lecture") / slug(study.name)
    pictures = re.findall(rf"\(({place}/(?!benchmark)[^)]+\.png)\)", page)
    return Done(exercise, study, [], rows, shown, verdicts, pictures, [str(place / "results.csv")], "", "")


def test_the_page_is_what_the_rows_say() -> None:
    page = PAGE.read_text(encoding="utf-8")
    seeds = [int(seed) for seed in re.search(r"seeds ([\d, ]+);", page)[1].split(", ")]  # type: ignore[index]
    report, studies = read_report(find_report("lecture"))
    done = [done_again(*each, page, seeds) for each in zip(report.exercises, studies, strict=True)]
    again = report_text(report, "quick", seeds, done).partition(JUDGED)[2]
    was = COSTS.sub("", page).partition(JUDGED)[2]
    assert len(was) > 10_000, "all of the lecture"
    assert lines(again) == lines(was)


OF_DIRECTORIES = ("Checked in the runs", "WARNING: not equal initial values")
"""How lines begin on what is checked in the directories of the runs, which are not kept."""


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith(OF_DIRECTORIES)]


def test_its_figures_are_there() -> None:
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", PAGE.read_text(encoding="utf-8")):
        assert (DOCS / picture).is_file(), picture


@pytest.mark.parametrize("name", ["README.md", "docs/tutorials/researcher.md"])
def test_pages_that_quote_it_quote_what_it_says(name: str) -> None:
    quoted = [cells(line) for line in (PROJECT / name).read_text(encoding="utf-8").splitlines() if "| better" in line]
    rows = [cells(line) for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    assert quoted
    for row in quoted:
        assert any(set(row) <= set(there) for there in rows), row


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]
