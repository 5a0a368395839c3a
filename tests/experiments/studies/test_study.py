"""A study's file: what it may say, what each run's command becomes of it, and what is told where it is wrong."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from datamodules.errors import UserError
from experiments.cli import main
from experiments.studies.plan import PlannedRun, planned_runs
from experiments.studies.study import Change, Study, known_studies, narrowed, panels_of, read_study
from tests.experiments.studies.study_files import TINY, write_study

PROJECT = Path(__file__).parents[3]


def test_all_variants_of_a_seed_come_before_the_next_seed(tmp_path: Path) -> None:
    runs = planned_runs(read_study(write_study(tmp_path)), "quick", [3, 4], tmp_path / "out")
    assert [run.key for run in runs] == [("", "first", 3), ("", "second", 3), ("", "first", 4), ("", "second", 4)]
    assert runs[3].command == shlex.join(
        ["seqlab", "fit", "--config", str(tmp_path / "base.yaml"), "--trainer.max_epochs", "1",
         "--model.init_args.dropout", "0.5", "--experiment", "second-seed4", "--seed_everything", "4",
         "--trainer.default_root_dir", str(tmp_path / "out" / "runs")]
    )  # fmt: skip


def test_what_is_said_last_wins(tmp_path: Path) -> None:
    """Study, panel, the study's preset, the panel's preset, variant: an option stands once, where it was said last."""
    study = write_study(
        tmp_path,
        options={"a": 1, "b": [1, "x"], "c": "study"},
        presets={"quick": {"options": {"c": "preset", "d": None}}},
        panels={
            "one": {"options": {"a": 2}},
            "two": {"presets": {"quick": {"options": {"d": True}}}, "variants": {"own": {"options": {"a": "v w"}}}},
        },
    )
    runs = planned_runs(read_study(study), "quick", [1], tmp_path / "out")
    assert [run.key[:2] for run in runs] == [("one", "first"), ("one", "second"), ("two", "own")]

    def said(run: int) -> list[str]:
        words = list(runs[run].words)
        return words[3 : words.index("--experiment")]

    assert said(0) == ["--b", '[1, "x"]', "--a", "2", "--c", "preset", "--d", "null"]
    assert said(2) == ["--b", '[1, "x"]', "--c", "preset", "--d", "true", "--a", "v w"]
    assert runs[2].parent == tmp_path / "out" / "runs" / "two-own-seed1"


def test_some_panels_and_variants_alone(tmp_path: Path) -> None:
    metrics = [{"name": "val/loss", "better": "lower"}, {"name": "val/bleu", "better": "higher", "without": ["first"]}]
    panels = {"one": {}, "two": {"variants": {"own": {}}, "metrics": metrics[:1]}}
    study = read_study(write_study(tmp_path, metrics=metrics, panels=panels))

    def keys(panels: list[str], variants: list[str]) -> list[tuple[str, str]]:
        return [run.key[:2] for run in planned_runs(narrowed(study, panels, variants), "quick", [1], tmp_path)]

    assert keys([], []) == [("one", "first"), ("one", "second"), ("two", "own")]
    assert keys(["two"], []) == [("two", "own")]
    assert keys([], ["second", "own"]) == [("one", "second"), ("two", "own")]
    (first,) = planned_runs(narrowed(study, ["one"], ["first"]), "quick", [1], tmp_path)
    (second,) = planned_runs(narrowed(study, ["one"], ["second"]), "quick", [1], tmp_path)
    assert [metric.name for metric in first.metrics] == ["val/loss"]
    assert [metric.name for metric in second.metrics] == ["val/loss", "val/bleu"]
    assert second.command == planned_runs(study, "quick", [1], tmp_path)[1].command  # it is not made again
    for wrong, told in (
        ((["tow"], []), "has no panel 'tow': did you mean 'two'?"),
        (([], ["frist"]), "has no variant 'frist': did you mean 'first'?"),
        ((["two"], ["first"]), "no panel of two has a variant first"),
    ):
        with pytest.raises(UserError, match=re.escape(told)):
            narrowed(study, *wrong)
    plain = read_study(write_study(tmp_path))
    assert [run.variant for run in planned_runs(narrowed(plain, [], ["second"]), "quick", [1], tmp_path)] == ["second"]
    only = read_study(write_study(tmp_path, metrics=metrics[1:]))
    with pytest.raises(UserError, match="study 'tiny_study': none of its metrics is of first: name another"):
        narrowed(only, [], ["first"])
    with pytest.raises(UserError, match="has no panel 'one': it has no panels"):
        narrowed(plain, ["one"], [])


def test_another_content_of_a_config_is_another_run(tmp_path: Path) -> None:
    path = write_study(tmp_path)
    (before, *_) = planned_runs(read_study(path), "quick", [1], tmp_path)
    (tmp_path / "base.yaml").write_text("experiment: other\n")
    (after, *_) = planned_runs(read_study(path), "quick", [1], tmp_path)
    assert before.command == after.command
    assert before.configs != after.configs


def test_a_metric_over_an_axis_has_a_column_for_each_place(tmp_path: Path) -> None:
    metrics = [
        {"name": "test/exact_match_length_{x}", "x": [5, 10], "better": "higher"},
        {"name": "val/loss", "better": "lower", "take": "mean"},
    ]
    (run, _) = planned_runs(read_study(write_study(tmp_path, metrics=metrics)), "quick", [1], tmp_path)
    assert run.columns == ["test/exact_match_length_5", "test/exact_match_length_10", "mean val/loss"]
    assert run.test_words(tmp_path)[0] == "test"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"question": None}, "question is missing"),
        ({"varants": {}}, "unknown key 'varants': did you mean 'variants'"),
        ({"variants": {"a": {"optoins": {}}}}, "unknown key 'variants.a.optoins': did you mean 'options'"),
        ({"variants": {}}, "variants is missing"),
        ({"variants": {"a b": None, "a-b": None}}, "would have one directory"),
        (
            {"panels": {"rnn": {"variants": {"2 layers": None}}, "rnn 2": {"variants": {"layers": None}}}},
            "'2 layers of rnn' and 'layers of rnn 2' would have one directory",
        ),
        ({"metrics": [{"name": "val/loss", "better": "smaller"}]}, "metrics.0.better is 'smaller'"),
        ({"metrics": TINY["metrics"] * 2}, "the metric 'val/loss' is named twice"),
        ({"metrics": [{"name": "val/loss", "better": "lower", "x": [1]}]}, "go together"),
        ({"metrics": [{"name": "val/loss", "better": "lower", "without": ["frist"]}]}, "did you mean 'first'"),
        (
            {"metrics": [{"name": "val/loss", "better": "lower", "without": ["first", "second"]}]},
            "without every variant",
        ),
        ({"metrics": [{"name": "val/loss", "better": "neither", "take": "best"}]}, "no value is its best one"),
        ({"presets": {}}, "presets is empty"),
        ({"equal": "time"}, "equal is time, but preset quick has no trainer.max_time"),
        ({"panels": {"p": {"presets": {"quik": {}}}}}, "panels.p: unknown preset 'quik': did you mean 'quick'"),
        ({"configs": ["nowhere.yaml"]}, "cannot read the config nowhere.yaml"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(
    changes: dict[str, object], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_study(tmp_path, **changes)
    assert main(["study", str(path), "--directory", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["atention"], "unknown study 'atention': there are attention"),
        (["nowhere.yaml"], "there is no study file nowhere.yaml"),
        (["attention", "--preset", "quik"], "no preset 'quik': did you mean 'quick'"),
        (["attention", "--seeds", "0"], "'0' is no whole number above 0"),
        (["attention", "--seeds", "1,x"], "neither a number of seeds nor a list"),
        (["attention", "--jbos", "2"], "unknown option '--jbos': did you mean '--jobs'"),
    ],
)
def test_what_is_mistyped(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(PROJECT)
    assert main(["study", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_the_studies_are_listed_with_their_questions(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(PROJECT)
    assert main(["study"]) == 0
    listed = capsys.readouterr().out
    for name, path in known_studies().items():
        assert f"  {name}" in listed
        assert read_study(path).question in listed


def each_once(study: Study, runs: Sequence[PlannedRun]) -> Iterator[PlannedRun]:
    """Those whose panel no earlier run has, or whose variant none has as its panel says it."""
    panels = panels_of(study)
    begun: set[str] = set()
    tried: list[tuple[str, Change | None]] = []
    for run in runs:
        panel = panels[run.panel]
        variant = (run.variant, {**panel.starts, **panel.variants}[run.variant])
        if run.panel not in begun or variant not in tried:
            yield run
        begun.add(run.panel)
        tried.append(variant)


@pytest.mark.parametrize("path", known_studies(PROJECT / "configs" / "studies").values(), ids=lambda path: path.stem)
def test_every_command_of_every_study_is_understood(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each panel once, and each variant once: the panels change what the variants leave as it is."""
    monkeypatch.chdir(PROJECT)
    study = read_study(path)
    assert "full" in study.presets
    first, *others = (planned_runs(study, preset, [1], tmp_path) for preset in study.presets)
    for run in [*each_once(study, first), *(runs[0] for runs in others)]:
        with pytest.raises(SystemExit) as ended:
            main([*run.words, "--print_config"])
        assert ended.value.code == 0, run.command
        assert f"experiment: {run.parent.name}" in capsys.readouterr().out


def test_a_study_that_is_no_yaml(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("question: [unclosed")
    with pytest.raises(UserError, match="is not YAML"):
        read_study(path)
    path.write_text("")
    with pytest.raises(UserError, match="is empty"):
        read_study(path)
