"""Variants that begin from a training made for them: in one process, in several, and where that training fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from datamodules.errors import UserError
from experiments.cli import main
from experiments.storage.layout import RECORD
from experiments.studies.plan import chains_of, planned_runs
from experiments.studies.study import read_study
from tests.experiments.studies.study_files import write_study
from tests.experiments.studies.test_study_command import rows, words, write_tiny_study

STARTS = {
    "starts": {"warm": {"options": {"model.init_args.dropout": 0.25}, "presets": {"quick": {}}}},
    "variants": {
        "scratch": {"presets": {"quick": {"options": {"trainer.max_epochs": 2}}}},
        "on": {"init_from": "warm"},
        "on with dropout": {"init_from": "warm", "options": {"model.init_args.dropout": 0.5}},
    },
}


def test_what_is_planned(tmp_path: Path) -> None:
    study = read_study(write_study(tmp_path, **STARTS))
    runs = planned_runs(study, "quick", [1, 2], tmp_path)
    assert [(run.variant, run.seed) for run in runs] == [
        (name, seed) for seed in (1, 2) for name in ("warm", "scratch", "on", "on with dropout")
    ]
    warm, scratch, on, _ = runs[:4]
    assert (warm.start, scratch.start, on.start) == (None, None, warm)
    assert not warm.metrics
    assert on.metrics == scratch.metrics
    assert "--trainer.max_epochs=2" in scratch.command.replace(" 2", "=2")
    assert on.words_from("a b.ckpt") == (*on.words, "--init_from", "a b.ckpt")
    assert on.command_from("a b.ckpt") == f"{on.command} --init_from 'a b.ckpt'"
    assert [[run.variant for run in chain] for chain in chains_of(runs[:4])] == [
        ["warm", "on", "on with dropout"],
        ["scratch"],
    ]


def test_another_start_makes_other_runs(tmp_path: Path) -> None:
    before = planned_runs(read_study(write_study(tmp_path, **STARTS)), "quick", [1], tmp_path)
    changed = {"warm": {"options": {"model.init_args.dropout": 0.3}}}
    after = planned_runs(read_study(write_study(tmp_path, **{**STARTS, "starts": changed})), "quick", [1], tmp_path)
    assert [one.configs == other.configs for one, other in zip(before, after, strict=True)] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"starts": {}}, "variant on: unknown start 'warm': it has no starts"),
        ({"starts": {"worm": None}}, "variant on: unknown start 'warm': did you mean 'worm'?"),
        ({"starts": {"warm": None, "on": None}}, "'on' is the name of a start and of a variant"),
        ({"starts": {"warm": {"presets": {"quik": {}}}}}, "warm: unknown preset 'quik': did you mean 'quick'?"),
        ({"starts": {"warm": {"init_from": "scratch"}}}, "init_from"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, object], told: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        read_study(write_study(tmp_path, **{**STARTS, **changes}))
    assert told in str(error.value)


@pytest.mark.long
def test_variants_begin_with_the_weights_of_their_start(
    tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    study = write_tiny_study(tmp_path, seed, **STARTS)
    assert main(words(study, "--seeds", "1", "--jobs", "2")) == 0
    told = capsys.readouterr().out
    assert "WARNING" not in told
    assert "the same number of updates" in told
    assert "equal initial values" in told
    place = tmp_path / "studies" / "tiny_study" / "quick"
    found = {row["variant"]: row for row in rows(place)}
    assert {name: row["updates"] for name, row in found.items()} == {
        "warm": "6", "scratch": "12", "on": "12", "on with dropout": "12",
    }  # fmt: skip
    best = Path(found["warm"]["run"]) / "checkpoints" / "best.ckpt"
    assert found["on"]["init_from"] == str(best)
    assert found["on"]["command"].endswith(f"--init_from '{best}'") or str(best) in found["on"]["command"]
    weights = torch.load(best, weights_only=True)["state_dict"]
    parameters = json.loads((Path(found["on"]["run"]) / RECORD).read_text())["initial_parameters"]
    other = json.loads((Path(found["scratch"]["run"]) / RECORD).read_text())["initial_parameters"]
    assert parameters.keys() == other.keys()
    assert parameters != other
    assert parameters.keys() <= weights.keys() | {"output.weight"}
    assert "warm" not in (place / "table.md").read_text().split("| variant")[1]
    capsys.readouterr()
    assert main(words(study, "--seeds", "1")) == 0
    assert "4 of 4 runs are finished" in capsys.readouterr().out


@pytest.mark.long
def test_nothing_begins_from_a_start_that_failed(tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    broken = {"warm": {"options": {"model.init_args.dropout": 7}}}
    study = write_tiny_study(tmp_path, seed, **{**STARTS, "starts": broken})
    assert main(words(study, "--seeds", "1")) != 0
    found = {row["variant"]: row for row in rows(tmp_path / "studies" / "tiny_study" / "quick")}
    assert found["scratch"]["status"] == "finished"
    assert "dropout" in found["warm"]["error"]
    assert found["on"]["error"] == "not tried: warm seed 1, from which it begins, failed"
    write_tiny_study(tmp_path, seed, **STARTS)
    assert main(words(study, "--seeds", "1")) == 0
    found = {row["variant"]: row for row in rows(tmp_path / "studies" / "tiny_study" / "quick")}
    assert {row["status"] for row in found.values()} == {"finished"}


@pytest.mark.long
def test_a_share_has_the_start_and_what_begins_from_it(tmp_path: Path, seed: int) -> None:
    study = write_tiny_study(tmp_path, seed, **STARTS)
    place = tmp_path / "studies" / "tiny_study" / "quick"
    assert main(words(study, "--seeds", "1", "--share", "1/2")) == 0
    assert {row["variant"] for row in rows(place)} == {"warm", "on", "on with dropout"}
    assert main(words(study, "--seeds", "1", "--share", "2/2")) == 0
    assert {row["status"] for row in rows(place)} == {"finished"}
    assert (place / "table.md").is_file()
