"""``seqlab report`` as a user types it: every number, figure and verdict of the page is one of a results file."""

from __future__ import annotations

import argparse
import base64
import csv
import re
from html.parser import HTMLParser
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import yaml

from experiments.cli import main
from experiments.loggers.media import write_figure
from experiments.report.plan import known_reports, read_report
from experiments.studies.command import finished_runs
from experiments.studies.comparison import compare
from experiments.studies.pictures import metric_figures
from experiments.studies.plan import planned_runs, study_directory
from experiments.studies.results import COLUMNS, Results
from experiments.studies.study import find_study, narrowed, panels_of, read_study
from tests.experiments.studies.study_files import write_study
from tests.experiments.studies.test_study_command import write_tiny_study


def write_report(folder: Path, study: Path, claims: list[dict[str, Any]]) -> Path:
    path = folder / "tiny_report.yaml"
    exercise = {"title": "An exercise", "study": str(study), "claims": claims, "note": "Small."}
    path.write_text(yaml.safe_dump({"title": "A lecture", "exercises": [exercise]}))
    return path


CLAIMS = [
    {"says": "Attention lowers the loss", "expectations": [{"variant": "general", "than": "none"}]},
    {"says": "It does not", "expectations": [{"variant": "general", "than": "none", "expected": "higher"}]},
]


class Page(HTMLParser):
    """What a page refers to, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [str(value) for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.long
def test_a_page_of_what_was_run(tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    study = write_tiny_study(tmp_path, seed)
    report = write_report(tmp_path, study, CLAIMS)
    words = ["report", str(report), "--seeds", "2", "--directory", str(tmp_path / "studies")]
    output = tmp_path / "page"
    assert main([*words, "--output", str(output)]) == 0
    told = capsys.readouterr()
    assert f"page     {output / 'tiny_report.html'}" in told.out
    place = tmp_path / "studies" / "tiny_study" / "quick"
    with (place / "results.csv").open(newline="") as file:
        found = {(row["variant"], row["seed"]): row for row in csv.DictReader(file)}
    text = (output / "tiny_report.md").read_text()
    for column in ("val/loss",):
        values = {name: [float(found[name, seed][column]) for seed in "12"] for name in ("general", "none")}
        for name, cells in values.items():
            (row,) = [line for line in text.splitlines() if re.match(rf"\| {name} +\|", line)]
            mean = row.split("|")[2].strip()
            assert float(mean) == pytest.approx(fmean(cells), abs=0.6 * 10 ** -len(mean.partition(".")[2]))
        differences = [one - two for one, two in zip(values["general"], values["none"], strict=True)]
    (line, other) = [line for line in text.splitlines() if line.startswith("| general: ")]
    assert float(re.search(r"\| +([-+.\de]+) +\|", line)[1]) == pytest.approx(fmean(differences), rel=1e-2)  # type: ignore[index]
    verdicts = {
        claim["says"]: re.search(rf"“{claim['says']}”: ([a-z ]+)\.", text)[1]  # type: ignore[index]
        for claim in CLAIMS
    }
    low, high = map(float, re.search(r"\| +([-+.\de]+) to ([-+.\de]+) +\|", line).groups())  # type: ignore[union-attr]
    if low <= 0 <= high:
        assert set(verdicts.values()) == {"not told apart"}
    else:
        assert list(verdicts.values()) == (["holds", "does not hold"] if high < 0 else ["does not hold", "holds"])
    assert re.search(r"\| +2 \|", other), "seeds"
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", text)
    assert pictures
    page = Page()
    html = (output / "tiny_report.html").read_text()
    page.feed(html)
    assert len(re.findall(r'<td[^>]*><span class="verdict"', html)) >= 2 * len(CLAIMS), "in both tables"
    results, *shown = page.sources
    assert base64.b64decode(results.removeprefix("data:text/csv;base64,")) == (place / "results.csv").read_bytes()
    assert len(shown) == len(pictures)
    for picture, source in zip(pictures, shown, strict=True):
        content = base64.b64decode(source.removeprefix("data:image/png;base64,"))
        assert content == (output / picture).read_bytes() == (place / "figures" / Path(picture).name).read_bytes()
    whole = "".join(page.texts)
    for outcome in verdicts.values():
        assert outcome in whole
    assert main([*words, "--output", str(output), "--no-run"]) == 0
    assert (output / "tiny_report.md").read_text() == text, "nothing was run again"
    further = yaml.safe_load(report.read_text())
    further["exercises"][0] |= {"metrics": ["mean train/loss"], "note": "From [elsewhere](https://example.org/a.csv)."}
    report.write_text(yaml.safe_dump(further))
    assert main([*words, "--output", str(output), "--no-run"]) == 0
    added = set((output / "tiny_report.md").read_text().splitlines()) - set(text.splitlines())
    assert "### Training loss" in added, "a table of its own, and no figure"
    assert not [line for line in added if line.startswith("![")]
    assert 'href="https://example.org/a.csv"' in (output / "tiny_report.html").read_text()


def test_what_was_not_run_is_called_so(tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    report = write_report(tmp_path, write_tiny_study(tmp_path, seed), CLAIMS)
    words = [
        "report",
        str(report),
        "--no-run",
        "--directory",
        str(tmp_path / "none"),
        "--output",
        str(tmp_path / "page"),
    ]
    assert main(words) == 0
    assert capsys.readouterr().out.splitlines()[:2] == [
        "not run         Attention lowers the loss",
        "not run         It does not",
    ]
    text = (tmp_path / "page" / "tiny_report.md").read_text()
    assert "0 of 10 runs are finished" in text
    assert "Not run." in text


@pytest.mark.long
def test_a_study_that_fails_leaves_a_page_that_says_so(
    tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    variants = {
        "general": {"options": {"model.init_args.dropout": 7}},
        "none": {"options": {"model.init_args.dropout": 8}},
    }
    report = write_report(tmp_path, write_tiny_study(tmp_path, seed, variants=variants), CLAIMS)
    words = ["report", str(report), "--seeds", "1", "--directory", str(tmp_path / "studies")]
    assert main([*words, "--output", str(tmp_path / "page")]) == 1
    assert "1 of 1 studies have runs that failed" in capsys.readouterr().err
    assert "WARNING: 2 of 2 runs failed" in (tmp_path / "page" / "tiny_report.md").read_text()


@pytest.mark.parametrize(
    ("expectation", "told"),
    [
        ({"variant": "genral", "than": "first"}, "unknown variant 'genral': known: first, second"),
        ({"variant": "firs", "than": "second"}, "did you mean 'first'"),
        (
            {"variant": "first", "than": "second", "metric": "val/los"},
            "unknown metric 'val/los': did you mean 'val/loss'",
        ),
        ({"variant": "first", "than": "second", "panel": "x"}, "unknown panel 'x'"),
        ({"variant": "first", "than": "second", "expected": "best"}, "expectations.0.expected is 'best'"),
        ({"variant": "first", "then": "second"}, "unknown key"),
    ],
)
def test_what_a_study_has_not_is_told(
    expectation: dict[str, Any], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = write_report(tmp_path, write_study(tmp_path), [{"says": "so", "expectations": [expectation]}])
    assert main(["report", str(report), "--output", str(tmp_path / "page")]) == 2
    error = capsys.readouterr().err
    assert told in error or "than is missing" in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "page").exists()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"costs": True}, "tiny_report.yaml: An exercise: costs are measured of the study 'models' alone"),
        ({"panels": ["x"]}, "study 'tiny_study' has no panel 'x'"),
        ({"panels": "x"}, "exercises.0.panels is 'x'"),
        ({"metrics": ["val/los"]}, "An exercise: unknown metric 'val/los': did you mean 'val/loss'"),
    ],
)
def test_an_exercise_that_cannot_be(
    changes: dict[str, Any], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exercise = {"title": "An exercise", "study": str(write_study(tmp_path)), **changes}
    path = tmp_path / "tiny_report.yaml"
    path.write_text(yaml.safe_dump({"title": "A lecture", "exercises": [exercise]}))
    assert main(["report", str(path), "--output", str(tmp_path / "page")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line


def test_panels_that_are_named_are_those_of_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = read_study(find_study("cells"))
    exercise = {"title": "An exercise", "study": "cells", "panels": ["reversal, equal width"]}
    path = tmp_path / "tiny_report.yaml"
    path.write_text(yaml.safe_dump({"title": "A lecture", "exercises": [exercise]}))
    words = ["report", str(path), "--seeds", "1", "--directory", str(tmp_path / "studies")]
    assert main([*words, "--no-run", "--output", str(tmp_path / "page")]) == 0
    text = (tmp_path / "page" / "tiny_report.md").read_text()
    variants = panels_of(study)["reversal, equal width"].variants
    assert f"0 of {len(variants)} runs are finished" in text
    assert "seqlab study cells --panel 'reversal, equal width'" in text
    assert main([*words, "--executor", "slurm", "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert f"#SBATCH --array=0-{len(variants) - 1}" in told
    assert "--panel 'reversal, equal width'" in told


@pytest.mark.drawn
def test_its_figures_are_of_the_rows_of_its_tables(tmp_path: Path) -> None:
    """Not those of the study's directory, which are of the panels and seeds for which it was run last."""
    path = write_study(tmp_path, panels={"one": None, "other": None})
    exercises = [{"title": panel, "study": str(path), "panels": [panel]} for panel in ("one", "other")]
    report = tmp_path / "twice.yaml"
    report.write_text(yaml.safe_dump({"title": "A lecture", "exercises": exercises}))
    study = read_study(path)
    directory = study_directory(tmp_path / "studies", study, "quick")
    (directory / "figures").mkdir(parents=True)
    (directory / "figures" / "val-loss.png").write_bytes(b"of another run of the study")
    results = Results(directory / "results.csv")
    for run in planned_runs(study, "quick", [1, 2], directory):
        value = run.seed + (run.panel == "one") * 10 + (run.variant == "first")
        cells = {"status": "finished", "run": str(tmp_path), "command": run.command, "configs": run.configs}
        cells["seconds"] = "60.0" if run.seed == 1 else ""  # a run that went on after a stop has none
        results.put(run.key, {**dict.fromkeys(COLUMNS[4:], ""), **cells, "init_from": "", "val/loss": str(value)})
    output = tmp_path / "page"
    words = ["report", str(report), "--seeds", "2", "--directory", str(tmp_path / "studies"), "--output", str(output)]
    assert main([*words, "--no-run"]) == 0
    text = (output / "twice.md").read_text()
    assert "They took 4.0 minutes of training in all, but for 4 runs that went on after a stop." in text
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", text)
    assert pictures == ["twice/tiny_study/val-loss.png", "twice/tiny_study-2/val-loss.png"]
    for panel, picture in zip(("one", "other"), pictures, strict=True):
        part = narrowed(study, [panel], [])
        _, rows = finished_runs(part, argparse.Namespace(directory=tmp_path / "studies", preset="quick", seeds=[1, 2]))
        assert len(rows) == 4
        ((_, figure),) = metric_figures(part, compare(part, rows, [1, 2]))
        write_figure(figure, tmp_path / "expected.png")
        assert (output / picture).read_bytes() == (tmp_path / "expected.png").read_bytes()


def test_other_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    for words, told in (
        (["lectur"], "unknown report 'lectur': did you mean 'lecture'"),
        (["nothing.yaml"], "cannot read the report nothing.yaml"),
        (["--output", str(tmp_path / "file"), "--no-run"], "give another --output"),
        (["--preset", "quik", "--no-run", "--output", str(tmp_path / "out")], "has no preset 'quik'"),
        (["--dry-run"], "--dry-run goes with --executor slurm"),
    ):
        assert main(["report", *words]) == 2
        assert told in capsys.readouterr().err


def test_the_shipped_reports_name_what_their_studies_have() -> None:
    assert "lecture" in known_reports()
    for path in known_reports().values():
        report, _ = read_report(path)
        assert all(exercise.claims for exercise in report.exercises)


def test_studies_are_submitted_as_jobs(tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    study = write_tiny_study(tmp_path, seed)
    report = write_report(tmp_path, study, CLAIMS)
    words = ["report", str(report), "--executor", "slurm", "--dry-run", "--seeds", "2"]
    assert main([*words, "--directory", str(tmp_path / "studies")]) == 0
    told = capsys.readouterr().out
    assert "#SBATCH --array=0-3" in told
    assert f"study {study}" in told
    assert "--share 1/4" in told
    assert "seqlab report --no-run" in told
