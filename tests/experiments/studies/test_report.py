"""The tables of a study say what was measured, and what could not be told apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from experiments.studies.comparison import compare
from experiments.studies.pictures import study_figures
from experiments.studies.plan import Key, planned_runs
from experiments.studies.report import markdown_table, report
from experiments.studies.results import Row
from experiments.studies.statistics import t_interval
from experiments.studies.study import Study, read_study
from tests.experiments.studies.study_files import write_study

ACCURACY = {"name": "val/accuracy", "better": "higher", "label": "accuracy"}


def told(study: Study, cells: dict[Key, float], seeds: Sequence[int], folder: Path) -> str:
    """The report on a study with one value of its first metric for each run."""
    runs = planned_runs(study, "quick", seeds, folder)
    columns = {run.key: run.columns[0] for run in runs}
    rows: dict[Key, Row] = {
        key: {"run": str(folder), "updates": "9", "parameters": "1000", "data_order": "x", "seconds": "2.0",
              "commit": "abc", columns[key]: repr(value)}
        for key, value in cells.items()
    }  # fmt: skip
    return report(study, "quick", runs, rows, compare(study, rows, seeds), [])


def lines(text: str, start: str) -> list[list[str]]:
    """The cells of the table's lines that begin with something."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith(f"| {start} ")
    ]


def test_the_table_has_mean_deviation_difference_and_interval(tmp_path: Path) -> None:
    study = read_study(write_study(tmp_path, metrics=[ACCURACY], variants={"none": None, "near": None, "far": None}))
    values = {"none": [0.5, 0.6, 0.7], "near": [0.6, 0.5, 0.9], "far": [0.9, 1.0, 1.05]}
    cells = {("", name, seed): value for name, found in values.items() for seed, value in enumerate(found, start=1)}
    text = told(study, cells, [1, 2, 3], tmp_path)

    assert lines(text, "none")[1] == ["none", "0.60", "0.10", "", "", ""]
    low, high = t_interval([0.4, 0.4, 0.35], 0.05 / 2)
    assert lines(text, "far")[1] == ["far", "0.98", "0.08", "+0.38", f"{low:+.2f} to {high:+.2f}", "better"]
    low, high = t_interval([0.1, -0.1, 0.2])
    assert lines(text, "near")[1][3:] == ["+0.07", f"{low:+.2f} to {high:+.2f}", "not told apart"]
    assert "Not told apart from none at this size (preset quick, 3 seeds): near." in text


def test_lower_is_better_where_the_metric_says_so(tmp_path: Path) -> None:
    study = read_study(write_study(tmp_path))
    cells = {("", name, seed): value + seed for name, value in (("first", 1.0), ("second", 0.5)) for seed in (1, 2)}
    assert lines(told(study, cells, [1, 2], tmp_path), "second")[1][-1] == "better"


def test_one_seed_tells_nothing_apart(tmp_path: Path) -> None:
    text = told(read_study(write_study(tmp_path)), {("", "first", 1): 1.0, ("", "second", 1): 9.0}, [1], tmp_path)
    assert "One seed: there is no deviation and no interval" in text
    assert lines(text, "second")[1] == ["second", "9.000", "+8.000"]
    assert "better" not in text.replace("is better", "")


def test_what_is_not_finished_is_named_and_pairs_are_of_common_seeds(tmp_path: Path) -> None:
    study = read_study(write_study(tmp_path))
    cells = {("", "first", 1): 1.0, ("", "first", 2): 2.0, ("", "first", 3): 7.0, ("", "second", 1): 1.5,
             ("", "second", 2): 2.7}  # fmt: skip
    text = told(study, cells, [1, 2, 3], tmp_path)
    assert "not finished, and not in the tables: second seed 3" in text
    assert lines(text, "second")[1][3] == "+0.6"


def test_panels_are_one_family(tmp_path: Path) -> None:
    """Each panel has its own first variant; the correction is over all comparisons of the metric."""
    study = read_study(write_study(tmp_path, panels={"copy": None, "sort": None}))
    cells = {
        (panel, variant, seed): offset + 0.1 * seed * seed + (0.01 * seed if variant == "second" else 0.0)
        for panel, offset in (("copy", 1.0), ("sort", 5.0))
        for variant in ("first", "second")
        for seed in (1, 2, 3)
    }
    (comparison,) = compare(
        study,
        {key: {"val/loss": repr(value)} for key, value in cells.items()},
        [1, 2, 3],
    )
    found = [entry.difference for entry in comparison.entries]
    assert found[0] is None
    assert found[2] is None
    assert [each.mean for each in found if each] == [pytest.approx(0.02), pytest.approx(0.02)]
    assert [each.confidence for each in found if each] == [pytest.approx(0.975)] * 2


def test_a_variant_without_a_metric_is_not_compared_in_it(tmp_path: Path) -> None:
    metrics = [{"name": "val/entropy", "better": "neither", "without": ["none"]}]
    study = read_study(write_study(tmp_path, metrics=metrics, variants={"none": None, "dot": None, "general": None}))
    values = {"dot": [1.0, 1.1, 1.2], "general": [0.5, 0.62, 0.7]}
    cells = {("", name, seed): value for name, found in values.items() for seed, value in enumerate(found, start=1)}
    (without, *_) = planned_runs(study, "quick", [1], tmp_path)
    assert without.columns == []
    runs = planned_runs(study, "quick", [1, 2, 3], tmp_path)
    rows: dict[Key, Row] = {
        run.key: {
            "run": str(tmp_path),
            "updates": "9",
            "parameters": "1",
            "data_order": "x",
            "seconds": "",
            "commit": "a",
        }
        | ({"val/entropy": repr(cells[run.key])} if run.key in cells else {})
        for run in runs
    }
    text = report(study, "quick", runs, rows, compare(study, rows, [1, 2, 3]), [])
    assert "difference to dot" in text
    assert lines(text, "general")[1][-1] == "lower"
    assert len(lines(text, "none")) == 1, "its cost alone"


def test_a_metric_over_an_axis_is_also_drawn_side_by_side_at_each_place(tmp_path: Path) -> None:
    metrics = [{"name": "test/accuracy_{x}", "better": "higher", "x": [5, 10]}]
    study = read_study(write_study(tmp_path, metrics=metrics, x_label="length"))
    rows: dict[Key, Row] = {
        run.key: {"run": str(tmp_path), "test/accuracy_5": f"0.{run.seed}", "test/accuracy_10": "0.5"}
        for run in planned_runs(study, "quick", [1, 2], tmp_path)
    }
    figures = dict(study_figures(study, rows, compare(study, rows, [1, 2])))
    assert list(figures) == ["test-accuracy_-x", "test-accuracy_-x-differences"]
    shown = figures["test-accuracy_-x-differences"].axes
    assert [axes.get_title(loc="left") for axes in shown[::2]] == ["length 5", "length 10"]
    assert [label.get_text() for label in shown[2].get_yticklabels()] == ["first", "second"]


def test_variants_in_panels_over_an_axis_have_no_difference_to_draw_where_each_is_alone(tmp_path: Path) -> None:
    panels = {f"length {x}": {"x": x, "variants": {"lstm": None}} for x in (5, 10)}
    study = read_study(write_study(tmp_path, variants=None, panels=panels, metrics=[ACCURACY]))
    rows: dict[Key, Row] = {
        run.key: {"run": str(tmp_path), "val/accuracy": "0.5"} for run in planned_runs(study, "quick", [1, 2], tmp_path)
    }
    assert [name for name, _ in study_figures(study, rows, compare(study, rows, [1, 2]))] == ["val-accuracy"]


def test_metrics_of_one_name_in_different_panels_have_pictures_of_their_own(tmp_path: Path) -> None:
    panels = {
        panel: {"metrics": [{"name": "test/accuracy", "better": "higher", "label": label}]}
        for panel, label in (("signs", "share of sequences"), ("letters", "share of tokens"))
    }
    study = read_study(write_study(tmp_path, metrics=None, panels=panels))
    rows: dict[Key, Row] = {
        run.key: {"run": str(tmp_path), "test/accuracy": "0.5"}
        for run in planned_runs(study, "quick", [1, 2], tmp_path)
    }
    names = [name for name, _ in study_figures(study, rows, compare(study, rows, [1, 2]))]
    assert names == ["test-accuracy", "test-accuracy-share-of-tokens"]


def test_a_bar_in_a_name_is_no_border_of_a_cell() -> None:
    names, bars, cells = markdown_table((["variant", "p(a|b)"], [["b|c", "1"]])).splitlines()
    for line in (names, bars, cells):
        assert len(re.split(r"(?<!\\)\|", line)) == 4
    assert r"b\|c" in cells
