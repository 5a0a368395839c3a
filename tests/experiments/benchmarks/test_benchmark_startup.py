"""``seqlab benchmark startup``: the first step of a training is timed, and a command that fails is told."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from datamodules.errors import RunFailed
from experiments.benchmarks import startup
from experiments.benchmarks.startup import BARE_LIGHTNING, SEQLAB, command_times, first_step_times
from experiments.cli import main

PROJECT = Path(__file__).parents[3]


def test_a_training_is_timed_to_its_first_step() -> None:
    times = first_step_times((*BARE_LIGHTNING, "fit"), {"WANDB_MODE": "disabled"})
    assert 0 < times["seconds"] < 120
    assert times["processor_seconds"] > 0


def test_a_command_is_timed_to_its_end() -> None:
    times = command_times((sys.executable, "-c", "import time; time.sleep(0.2)"))
    assert 0.2 <= times["seconds"] < 10
    assert times["processor_seconds"] < times["seconds"]


def test_help_imports_no_framework() -> None:
    words = [sys.executable, "-X", "importtime", *SEQLAB[1:], "--help"]
    done = startup.subprocess.run(words, capture_output=True, text=True, check=True)
    assert "argparse" in done.stderr or "importlib" in done.stderr
    assert not {"torch", "lightning", "matplotlib"} & {
        line.rpartition("|")[2].strip() for line in done.stderr.split("\n")
    }


def test_what_fails_is_told_with_its_last_line() -> None:
    with pytest.raises(RunFailed, match=r"translate --ckpt_path: .*expected"):
        command_times((*SEQLAB, "translate", "--ckpt_path"))


def test_the_report_has_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The processes themselves are timed above."""
    given: list[tuple[str, ...]] = []

    def times(words: tuple[str, ...], *variables: object) -> dict[str, float]:
        given.append(tuple(words))
        return {"seconds": float(len(given)), "processor_seconds": 1.0}

    monkeypatch.setattr(startup, "command_times", times)
    monkeypatch.setattr(startup, "first_step_times", times)
    report = tmp_path / "startup.json"
    config = str(PROJECT / "configs" / "nmt" / "dates.yaml")
    assert (
        main(["benchmark", "startup", "--config", config, "--rounds", "2", "--others", "100", "--output", str(report)])
        == 0
    )
    assert len(given) == 1 + 2 * 6
    rounds = json.loads(report.read_text())["rounds"]
    assert [each["seconds"] for each in rounds["fit, first step"]] == [2.0, 8.0]
    assert [each["seconds"] for each in rounds["--help"]] == [7.0, 13.0]
    told = capsys.readouterr().out
    assert all(name in told for name in rounds)


def test_a_report_without_a_place_is_refused_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("experiment: x\n")
    for output, message in (
        (tmp_path, f"--output {tmp_path} is a directory"),
        (config, f"--output {config} is also --config"),
        (config / "report.json", f"cannot make the directory {config}"),
    ):
        assert main(["benchmark", "startup", "--config", str(config), "--output", str(output)]) == 2
        assert message in capsys.readouterr().err
    assert config.read_text() == "experiment: x\n"


def test_a_config_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "startup", "--config", "dates.yml"]) == 2
    assert "--config dates.yml: there is no such file" in capsys.readouterr().err
