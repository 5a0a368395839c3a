"""What becomes of trials that fail, and of what a run leaves behind; the runs are written by the test."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from datamodules.errors import RunFailed, UserError
from experiments.config.given_values import typed
from experiments.processes.command_pool import CommandPool
from experiments.tuning.search import read_search
from experiments.tuning.shared_trials import SharedTrials
from experiments.tuning.tuner import Tuner
from tests.experiments.tuning.search_files import LR, write_search

Train = Callable[[Path, float], None]


@pytest.fixture
def tuner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Train], Tuner]:
    """A tuner whose trials are a function of their parent directory and their learning rate."""

    def made(train: Train) -> Tuner:
        def run(_: CommandPool, words: Sequence[str], *__: object) -> None:
            options = dict(zip(words[1::2], words[2::2], strict=True))
            train(Path(options["--trainer.default_root_dir"]) / options["--experiment"], float(options[f"--{LR}"]))

        monkeypatch.setattr(CommandPool, "run", run)
        return Tuner(SharedTrials(tmp_path / "search", read_search(write_search(tmp_path))), jobs=1)

    return made


def write_run(parent: Path, rate: float, *losses: str) -> None:
    """Writes what a run leaves behind."""
    run = parent / "1"
    run.mkdir(parents=True)
    (run / "record.json").write_text("{}")
    optimizer = {"class_path": "torch.optim.SGD", "init_args": {"lr": rate, "momentum": 0.5}}
    config = {"model": {"class_path": "some.Model", "init_args": {"optimizer": optimizer, "size": 3}}}
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    rows = "".join(f"{step},{loss}\n" for step, loss in enumerate(losses))
    (run / "metrics.csv").write_text(f"step,val/loss\n{rows}")


def test_a_trial_that_fails_does_not_stop_the_others(tuner: Callable[[Train], Tuner], tmp_path: Path) -> None:
    def train(parent: Path, rate: float) -> None:
        number = int(parent.name.removeprefix("trial-"))
        if number in (1, 2):
            raise UserError("too wide") if number == 1 else RunFailed("out of memory")
        write_run(parent, rate, "nan" if number == 3 else f"{2 - number / 10}", "2.5")

    tuner(train).run(6)
    with (tmp_path / "search" / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["state"] for row in rows] == ["complete", "failed", "failed", "failed", "complete", "complete"]
    assert [row["val/loss"] for row in rows] == ["2.0", "", "", "", "1.6", "1.5"]
    assert [row["error"] for row in rows[1:3]] == ["too wide", "out of memory"]
    assert "metric 'val/loss' is nan" in rows[3]["error"]
    text = (tmp_path / "search" / "best.yaml").read_text()
    assert text.startswith("# The best of the search tiny_search: trial 5, val/loss 1.5\n")
    rate = {"class_path": "torch.optim.SGD", "init_args": {"lr": float(rows[5][LR])}}
    assert yaml.safe_load(text) == {"model": {"class_path": "some.Model", "init_args": {"optimizer": rate}}}


OPTIMIZER = "model.init_args.optimizer"


@pytest.mark.parametrize(
    "best", ["torch.optim.SGD", {"class_path": "torch.optim.SGD", "init_args": {"nesterov": True}}]
)
def test_a_class_and_one_of_its_arguments_may_both_be_searched(
    best: str | dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(_: CommandPool, words: Sequence[str], *__: object) -> None:
        options = dict(zip(words[1::2], words[2::2], strict=True))
        parent = Path(options["--trainer.default_root_dir"]) / options["--experiment"]
        is_best = options[f"--{OPTIMIZER}"] == typed(best) and options[f"--{LR}"] == "0.5"
        write_run(parent, float(options[f"--{LR}"]), "1" if is_best else "2")

    monkeypatch.setattr(CommandPool, "run", run)
    parameters = {LR: {"choices": [0.1, 0.5]}, OPTIMIZER: {"choices": ["torch.optim.Adam", best]}}
    search = read_search(write_search(tmp_path, parameters=parameters))
    trials = SharedTrials(tmp_path / "search", search)
    Tuner(trials, jobs=1).run(12)
    found = yaml.safe_load((tmp_path / "search" / "best.yaml").read_text())["model"]["init_args"]["optimizer"]
    own = best["init_args"] if isinstance(best, dict) else {}
    assert found == {"class_path": "torch.optim.SGD", "init_args": {**own, "lr": 0.5}}
    assert search.parameters[OPTIMIZER] == read_search(tmp_path / "tiny_search.yaml").parameters[OPTIMIZER]


def test_a_search_ends_where_nothing_succeeds(tuner: Callable[[Train], Tuner], tmp_path: Path) -> None:
    def train(_: Path, __: float) -> None:
        raise RunFailed("out of memory")

    with pytest.raises(RunFailed, match="5 trials failed, and none succeeded; the last one: out of memory"):
        tuner(train).run(20)
    assert (tmp_path / "search" / "trials.csv").read_text().count("failed") == 5


def test_a_trial_of_panels_trains_on_each_and_its_value_is_their_mean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed: list[dict[str, str]] = []
    losses = {"1-small": (3.0, 1.0, 9.0, 2.0), "Large-one": (5.0, 2.0, 1.0, 3.0)}

    def run(_: CommandPool, words: Sequence[str], log: Path, __: str = "", environment: object = None) -> None:
        options = dict(zip(words[1::2], words[2::2], strict=True))
        typed.append(options)
        assert environment == {}  # the trainings do not report to the search: each is a part of a trial
        title, panel = options["--experiment"].split("-", 2)[1:]
        write_run(
            Path(options["--trainer.default_root_dir"]) / options["--experiment"],
            float(options[f"--{LR}"]),
            str(losses[panel][int(title)]),
        )

    monkeypatch.setattr(CommandPool, "run", run)
    panels = {"1 small": {"options": {"data.init_args.seed": 1}}, "Large one": {"options": {"data.init_args.seed": 2}}}
    pruner = {"class_path": "ThresholdPruner", "init_args": {"upper": 8.0}}
    search = read_search(write_search(tmp_path, panels=panels, pruner=pruner))
    Tuner(SharedTrials(tmp_path / "search", search), jobs=1).run(4)
    with (tmp_path / "search" / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["state"] for row in rows] == ["complete", "complete", "pruned", "complete"]
    assert [float(row["val/loss"]) for row in rows] == [4.0, 1.5, 9.0, 2.5]
    seeds = [options["--data.init_args.seed"] for options in typed]
    assert seeds == ["1", "2", "1", "2", "1", "1", "2"]  # the third is pruned after the first of its panels
    assert rows[1]["run"].endswith("runs/trial-0001-Large-one/1")
    assert (tmp_path / "search" / "best.yaml").read_text().startswith("# The best of the search tiny_search: trial 1,")


def test_a_trial_of_panels_that_was_killed_does_not_train_again_on_what_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[str] = []

    def run(_: CommandPool, words: Sequence[str], *__: object) -> None:
        options = dict(zip(words[1::2], words[2::2], strict=True))
        trained.append(options["--experiment"])
        if trained == ["trial-0000-a", "trial-0000-b"]:
            raise KeyboardInterrupt
        write_run(Path(options["--trainer.default_root_dir"]) / options["--experiment"], 0.1, "1.0")

    monkeypatch.setattr(CommandPool, "run", run)
    search = read_search(write_search(tmp_path, panels={"a": {}, "b": {}}, pruner=None))
    for _ in range(2):
        with suppress(KeyboardInterrupt):
            Tuner(SharedTrials(tmp_path / "search", search), jobs=1).run(1)
    assert trained == ["trial-0000-a", "trial-0000-b", "trial-0000-b"]


@pytest.mark.parametrize(
    ("panels", "message"),
    [
        ({"a": {"options": {LR: 0.1}}}, rf"{LR} is in panels: a and in parameters"),
        ({"a b": {}, "a-b": {}}, "two names are alike but for signs"),
        ({"a": {"option": {}}}, "unknown key 'panels.a.option': did you mean 'options'"),
    ],
)
def test_panels_that_are_none(tmp_path: Path, panels: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_search(write_search(tmp_path, panels=panels))
