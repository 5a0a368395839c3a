"""W&B sweeps: what an agent would type with values that are drawn is what seqlab understands."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

from experiments.cli import main

SWEEPS = sorted((Path(__file__).parents[2] / "configs" / "sweeps").glob("*.yaml"))


def drawn(parameter: dict[str, Any], generator: random.Random) -> object:
    """A value as W&B's server draws it."""
    if "values" in parameter:
        return generator.choice(parameter["values"])
    low, high = parameter["min"], parameter["max"]
    if parameter["distribution"] == "log_uniform_values":
        return math.exp(generator.uniform(math.log(low), math.log(high)))
    assert parameter["distribution"] == "q_uniform"
    return round(generator.uniform(low, high) / parameter["q"]) * parameter["q"]


def typed(sweep: dict[str, Any], values: dict[str, object]) -> list[str]:
    """The command of W&B's agent, made by its own functions."""
    arguments = create_sweep_command_args({"args": {key: {"value": value} for key, value in values.items()}})
    words: list[str] = []
    for word in create_sweep_command([word.replace("${program}", sweep["program"]) for word in sweep["command"]]):
        words += arguments["args"] if word == "${args}" else [word]
    return words


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_what_a_sweep_draws_arrives(
    path: Path, seed: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(path.parents[2])
    sweep, generator = yaml.safe_load(path.read_text()), random.Random(seed)
    for _ in range(2):
        values = {key: drawn(parameter, generator) for key, parameter in sweep["parameters"].items()}
        program, *words = typed(sweep, values)
        assert program == "seqlab"
        with pytest.raises(SystemExit):
            main([*words, "--print_config"])
        shown = yaml.safe_load(capsys.readouterr().out)
        for key, value in values.items():
            found = shown
            for part in key.split("."):
                found = found[part]
            if isinstance(found, dict):
                assert found["class_path"] == f"lightning_modules.layers.attention.{value}", key
            else:
                assert found == value, key


def test_there_is_one() -> None:
    assert SWEEPS
