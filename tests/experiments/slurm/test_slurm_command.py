"""``seqlab slurm``: what becomes of its options, up to the script that sbatch gets."""

import shlex
from pathlib import Path

import pytest

from experiments.cli import main
from tests.experiments.test_classifier import write_config


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small experiment, and a sbatch that keeps what it is given."""
    (tmp_path / "sbatch").write_text(f'#!/bin/sh\n/bin/cp "$2" {tmp_path}/given.sh\necho 815\n')
    (tmp_path / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return write_config(tmp_path)


def command_of(script: str) -> list[str]:
    """What the script's only task types after ``seqlab``."""
    (line,) = [line for line in script.splitlines() if line.startswith("  0) run ")]
    return shlex.split(line.removeprefix("  0) run ").partition(" || ")[0])


def test_a_job_is_written_and_submitted(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--nodes", "2", "--config", str(config), "--gpus-per-node", "8", "--time", "04:00:00", "--cpus", "4"]
    assert main(["slurm", *words, "--trainer.max_epochs", "7", "--sbatch=--partition=gpu"]) == 0
    script = (config.parent / "given.sh").read_text()
    for option in ("job-name=signs", "nodes=2", "ntasks-per-node=8", "gres=gpu:8", "time=04:00:00", "cpus-per-task=4"):
        assert f"\n#SBATCH --{option}\n" in script
    assert "\n#SBATCH --partition=gpu\n" in script
    assert command_of(script) == [
        "fit", "--config", str(config), "--trainer.max_epochs", "7", "--trainer.accelerator", "gpu",
        "--trainer.devices", "8", "--trainer.num_nodes", "2", "--trainer.strategy", "ddp", "--version", "$SLURM_JOB_ID",
    ]  # fmt: skip
    runs = config.parent / "runs" / "signs"
    told = capsys.readouterr().out
    (written,) = (runs / "jobs").iterdir()
    assert written.read_text() == script
    for line in ("job     815", f"script  {written}", f"output  {runs}/jobs/815.log", f"run     {runs}/815"):
        assert f"{line}\n" in told


def test_a_dry_run_prints_the_script_alone(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["slurm", "--config", str(config), "--tasks-per-node", "4", "--version", "mine", "--dry-run"]) == 0
    script = capsys.readouterr().out
    assert script.startswith("#!/usr/bin/env bash\n")
    assert "--gres" not in script
    words = command_of(script)
    assert words[words.index("--trainer.accelerator") + 1] == "cpu"
    assert words[words.index("--trainer.devices") + 1] == "4"
    assert words.count("--version") == 1
    assert not (config.parent / "given.sh").exists()
    assert not (config.parent / "runs").exists()


def test_one_process_and_a_strategy_that_was_chosen_stay(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["slurm", "--config", str(config), "--dry-run"]) == 0
    assert "--trainer.strategy" not in command_of(capsys.readouterr().out)
    strategy = ["--trainer.strategy", "ddp_find_unused_parameters_true"]
    assert main(["slurm", "--config", str(config), "--tasks-per-node", "2", *strategy, "--dry-run"]) == 0
    words = command_of(capsys.readouterr().out)
    assert words.count("--trainer.strategy") == 1
    assert words[words.index("--trainer.strategy") + 1] == strategy[1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--trainer.devices", "4"], "--trainer.devices follows from what the job asks for: say --gpus-per-node"),
        (["--trainer.num_nodes=2"], "--trainer.num_nodes follows from what the job asks for: say --nodes"),
        (["--experimant", "x"], "unknown option '--experimant': did you mean 'experiment'"),
        (["--nodes", "0"], "'0' is no whole number above 0"),
        (["--gpus-per-node", "2", "--tasks-per-node", "2"], "not allowed with argument"),
        (["--sbatch=partition=gpu"], "'partition=gpu' is no option of sbatch"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_submitted(
    words: list[str], told: str, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["slurm", "--config", str(config), *words]) == 2
    assert told in capsys.readouterr().err
    assert not (config.parent / "given.sh").exists()
