"""``seqlab dashboard`` as a user types it: into a file without a login, and to a server that speaks as W&B's does."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from experiments.cli import main
from experiments.dashboard.sections import ORDER
from tests.experiments.dashboard.trained import write_run, write_study
from tests.experiments.dashboard.wandb_server import ENTITY, Server, running

pytest.importorskip("wandb_workspaces", reason="no wandb-workspaces: pip install 'seqlab[dashboard]'")
import wandb

pytestmark = pytest.mark.wandb


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Nobody is logged in, and the working directory is a new one."""
    for name in ("WANDB_API_KEY", "WANDB_PROJECT", "WANDB_ENTITY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.chdir(tmp_path)
    wandb.teardown()
    yield
    wandb.teardown()


@pytest.fixture
def login(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that has the project ``lecture``, and takes whoever comes."""
    with running("lecture") as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.address)
        monkeypatch.setenv("WANDB_API_KEY", "0123456789" * 4)
        monkeypatch.setenv("WANDB_MODE", "online")
        wandb.teardown()
        yield server


def spec(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def sections(workspace_spec: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The panels of a workspace, by the title of their section."""
    return {each["name"]: each["panels"] for each in workspace_spec["section"]["panelBankConfig"]["sections"]}


def shown(panels: list[dict[str, Any]]) -> list[str]:
    """The kind of each panel, and the first name that it shows."""
    names = []
    for panel in panels:
        config = panel["config"]
        key = (config.get("metrics") or config.get("mediaKeys") or [json.dumps(config)])[0]
        names.append(f"{panel['viewType']}: {key if len(key) < 40 else 'val/translations' in key}")
    return names


def run_sets(report_spec: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """The sets of runs of each grid of a report."""
    return [block["metadata"]["runSets"] for block in report_spec["blocks"] if block["type"] == "panel-grid"]


def error_of(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """The one line of a command that is refused."""
    assert main(["dashboard", *map(str, words)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line.removeprefix("seqlab: error: ")


def test_a_study_has_bands_over_seeds_its_media_and_its_findings(capsys: pytest.CaptureFixture[str]) -> None:
    write_study(Path("studies/attention/quick"), ["dot", "none"])
    assert main(["dashboard", "attention"]) == 0
    output = capsys.readouterr().out
    assert "spec       studies/attention/quick/dashboard.json" in output
    assert "4 are offline, upload them with: wandb sync studies/attention/quick/runs/*/*/wandb/offline-run-*" in output
    assert "nothing was sent: after wandb login the same command publishes it" in output

    made = spec(Path("studies/attention/quick/dashboard.json"))
    assert [made["workspace"][name] for name in ("type", "projectName", "displayName")] == [
        "project-view",
        "lecture",
        "Study attention, quick",
    ]
    panels = sections(made["workspace"]["spec"])
    assert {title: shown(found) for title, found in panels.items()} == {
        "Compared": ["Run History Line Plot: train/loss", "Bar Chart: test/bleu"],
        "Validation": ["Run History Line Plot: val/loss"],
        "Exposure bias": [
            "Run History Line Plot: val/exposure_gap",
            "Run History Line Plot: val/loss_free_running",
            "Media Browser: val/exposure",
        ],
        "Attention": ["Run History Line Plot: val/attention_entropy", "Media Browser: val/alignment_1"],
        "Translations": ["Weave: True"],
    }
    curve = panels["Compared"][0]["config"]
    assert (curve["xAxis"], curve["groupAgg"], curve["groupArea"]) == ("trainer/global_step", "mean", "stddev")
    (runs,) = made["workspace"]["spec"]["section"]["runSets"]
    (kept,) = runs["filters"]["filters"]
    assert (kept["key"]["name"], kept["op"], kept["value"]) == ("group", "=", "attention")
    assert runs["grouping"] == [{"section": "run", "name": "jobType"}]

    assert made["report"]["type"] == "runs"
    blocks = made["report"]["spec"]["blocks"]
    (text,) = [block["content"] for block in blocks if block["type"] == "markdown-block"]
    assert text.startswith("Does it help?")
    assert "| none | worse |" in text
    assert "figures/" not in text
    headings = [block["children"][0]["text"] for block in blocks if block["type"] == "heading"]
    assert headings == [title for title in ORDER if title in panels]
    grids = run_sets(made["report"]["spec"])
    assert [(each["name"], each["filters"]["filters"][0]["value"]) for each in grids[0]] == [
        ("dot", ["dot1", "dot2"]),
        ("none", ["none1", "none2"]),
    ]
    assert grids[0][0]["grouping"] == [{"section": "run", "name": "group"}]
    assert grids[-1][0]["grouping"] == [], "pictures and tables are of one run each"


def test_a_run_is_one_line_and_its_numbers(tmp_path: Path) -> None:
    write_run(Path("runs/dates/3"), "abc123")
    assert main(["dashboard", "runs/dates/3", "--project", "mine", "--entity", "us", "--output", "made.json"]) == 0
    made = spec(Path("made.json"))
    assert not Path("runs/dates/3/dashboard.json").exists()
    assert (made["workspace"]["projectName"], made["report"]["entityName"]) == ("mine", "us")
    (kept,) = made["workspace"]["spec"]["section"]["runSets"][0]["filters"]["filters"]
    assert (kept["key"]["name"], kept["value"]) == ("name", ["abc123"])
    assert "groupAgg" not in sections(made["workspace"]["spec"])["Training"][0]["config"]
    (text,) = [each["content"] for each in made["report"]["spec"]["blocks"] if each["type"] == "markdown-block"]
    assert "| val/loss | 1.5 | 1.5 | 2.5 |" in text


def test_an_experiment_has_a_line_for_each_version(capsys: pytest.CaptureFixture[str]) -> None:
    for version, wandb_id in (("1", "one"), ("2", "two"), ("3", "")):
        write_run(Path("runs/dates") / version, wandb_id)
    assert main(["dashboard", "runs/dates"]) == 0
    assert "1 of 3 runs were not logged to W&B, and are not shown" in capsys.readouterr().err
    grids = run_sets(spec(Path("runs/dates/dashboard.json"))["report"]["spec"])
    assert [each["name"] for each in grids[0]] == ["dates/1", "dates/2"]


def test_it_is_published_where_somebody_is_logged_in(login: Server, capsys: pytest.CaptureFixture[str]) -> None:
    study = write_study(Path("studies/attention/quick"), ["dot"])
    assert main(["dashboard", str(study)]) == 0
    output = capsys.readouterr().out
    assert f"report     {login.address}/{ENTITY}/lecture/reports/" in output
    assert f"workspace  {login.address}/{ENTITY}/lecture?nw=" in output
    assert not (study / "dashboard.json").exists()
    report, workspace = login.views
    assert (report["type"], workspace["type"]) == ("runs", "project-view")
    assert {each["entityName"] for each in login.views} == {ENTITY}
    assert run_sets(json.loads(report["spec"]))[0][0]["project"]["name"] == "lecture"
    assert next(iter(sections(json.loads(workspace["spec"])))) == "Compared"


def test_a_project_that_the_server_does_not_have_is_one_line(login: Server, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(Path("runs/dates/1"), "one", project="other")
    assert main(["dashboard", "runs/dates/1"]) == 1
    assert "project 'somebody/other' not found" in capsys.readouterr().err
    assert login.views == []


def test_what_is_not_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert error_of(capsys, "attentoin") == (
        "there is no directory and no study 'attentoin': give a run, an experiment or a study"
    )
    write_study(Path("studies/cells/quick"), ["gru"])
    write_study(Path("studies/cells/full"), ["gru"])
    assert error_of(capsys, "cells") == (
        "study cells was run in several sizes: give studies/cells/full or studies/cells/quick"
    )
    assert "give studies/cells/full or studies/cells/quick" in error_of(capsys, "studies/cells")
    assert "no run of studies/cells/small is finished" in error_of(
        capsys, write_study(Path("studies/cells/small"), ["gru"], status="failed")
    )
    assert error_of(capsys, "studies/cells/full/table.md").startswith("studies/cells/full/table.md is a file")


def test_a_run_that_shows_nothing_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "has no metrics" in error_of(capsys, write_run(Path("runs/dates/1"), "one", metrics=()))
    assert "was logged to W&B: train with RunWandbLogger" in error_of(capsys, write_run(Path("runs/dates/2")))
    assert error_of(capsys, write_run(Path("runs/dates/3"), "three", project="")).endswith("give --project")
    assert "no directory nowhere" in error_of(
        capsys, write_run(Path("runs/dates/4"), "four"), "--output", "nowhere/made.json"
    )
    write_run(Path("runs/dates/5"), "five", project="other")
    assert "several projects in W&B, lecture and other" in error_of(capsys, "runs/dates")


def test_without_the_package_it_is_told_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("experiments.dashboard.command.find_spec", lambda _: None)
    monkeypatch.setitem(sys.modules, "wandb_workspaces", None)
    run = write_run(Path("runs/dates/1"), "one")
    assert error_of(capsys, run) == "seqlab dashboard needs wandb-workspaces: pip install 'seqlab[dashboard]'"
