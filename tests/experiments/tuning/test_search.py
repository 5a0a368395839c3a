"""What a search's YAML says, and what is wrong with it, in one line."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml
from optuna.distributions import FloatDistribution, IntDistribution

from datamodules.errors import UserError
from experiments.cli import main
from experiments.tuning.search import SEARCHES, read_search
from tests.experiments.tuning.search_files import LR, write_search


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mode": "highest"}, "mode is 'highest': input should be 'min' or 'max'"),
        ({"metrics": "val/loss"}, "unknown key 'metrics': did you mean 'metric'?"),
        ({"metric": None}, "metric is missing"),
        ({"parameters": {}}, "parameters is empty: give at least one, with low and high, or choices"),
        ({"options": {LR: 0.1}}, f"{LR} is in options and in parameters: leave one of them out"),
        ({"pruner": "MedianPrunner"}, "pruner: there is no class 'MedianPrunner': did you mean 'MedianPruner'"),
        ({"pruner": "torch.nn.Linear"}, "pruner: there is no class 'torch.nn.Linear'"),
        ({"pruner": {"class_path": "MedianPruner", "init_args": {"warmup": 1}}}, "pruner MedianPruner: "),
    ],
)
def test_what_is_mistyped(changes: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=re.escape(message)) as told:
        read_search(write_search(tmp_path, **changes))
    assert "\n" not in str(told.value)
    assert "tiny_search.yaml: " in str(told.value)


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ({"low": 1, "high": 1}, "low has to be below high, but they are 1 and 1"),
        ({"low": 0, "high": 1, "log": True}, "with log, low has to be above 0"),
        ({"low": 0, "high": 1, "step": 2}, "step goes with no log"),
        ({"low": "small", "high": 1}, "low is 'small': it has to be a number"),
        ({"low": 0, "hihg": 1}, "unknown key 'hihg': did you mean 'high'?"),
        ({"low": 0, "high": 1, "lgo": True}, "unknown key 'lgo': did you mean 'low' or 'log'?"),
        ({"low": 0}, "give low and high, or choices"),
        ({"choices": [1]}, "choices have to be two or more, each once"),
        ({"choices": [1, 2, 1]}, "choices have to be two or more, each once"),
        ([1, 2], "give low and high, or choices"),
    ],
)
def test_what_is_no_range(parameter: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=re.escape(f"tiny_search.yaml: parameters: a.lr: {message}")):
        read_search(write_search(tmp_path, parameters={"a.lr": parameter}))


def test_a_search_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"No such file or directory; did you mean 'configs/tune/dates\.yaml'"):
        read_search(Path("configs/tune/date.yaml"))


@pytest.mark.parametrize("path", sorted(SEARCHES.glob("*.yaml")), ids=lambda path: path.stem)
def test_searches_of_the_project_name_what_their_experiment_has(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    search = read_search(path)
    for training in search.trainings:
        with pytest.raises(SystemExit):
            main([*search.words(search.example(), training), "--print_config"])
        shown = yaml.safe_load(capsys.readouterr().out)
        for key, value in search.example().items():
            found = shown
            for part in key.split("."):
                found = found[part]
            assert found == search.value_of(key, value), key


def test_ranges_end_where_their_steps_do(tmp_path: Path) -> None:
    parameters = {
        "whole": {"low": 16, "high": 100, "step": 32},
        "odd": {"low": 1, "high": 10, "step": 4},
        "broken": {"low": 0.0, "high": 0.4, "step": 0.15},
        "exponent": {"low": "1e-5", "high": "1e-2", "log": True},
    }
    found = read_search(write_search(tmp_path, parameters=parameters)).distributions
    assert found["whole"] == IntDistribution(16, 80, step=32)
    assert found["odd"] == IntDistribution(1, 9, step=4)
    assert found["broken"] == FloatDistribution(0.0, 0.3, step=0.15)
    assert found["exponent"] == FloatDistribution(1e-5, 1e-2, log=True)


def test_drawn_values_are_typed_as_a_person_would(tmp_path: Path) -> None:
    parameters = {
        LR: {"low": 1e-5, "high": 1e-2},
        "betas": {"choices": [[0.9, 0.98], [0.9, 0.999]]},
        "tied": {"choices": ["all", None]},
    }
    search = read_search(write_search(tmp_path, parameters=parameters, options={"trainer.max_epochs": 2}))
    drawn = {LR: 2e-5, "betas": "[0.9, 0.98]", "tied": "null"}
    assert shlex.join(search.words(drawn)) == (
        f"fit --config {tmp_path}/base.yaml --trainer.max_epochs 2 --{LR} 2e-05 --betas '[0.9, 0.98]' --tied null"
    )
    assert [search.value_of(key, value) for key, value in drawn.items()] == [2e-5, [0.9, 0.98], None]
