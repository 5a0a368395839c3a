"""``--trainer.profiler``: the report is a file of the run, and what was dearest is printed."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path

import pytest
import yaml

from experiments.cli import main
from experiments.runs.profilers import MOST_SHOWN, Cost, RunSimpleProfiler
from tests.experiments.seqlab_process import ForkedSeqlab
from tests.experiments.tiny_task import write_tiny_task

SHORT = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1", "--trainer.limit_val_batches", "1"]


@pytest.fixture
def config(tmp_path: Path, seed: int) -> Path:
    path = write_tiny_task(tmp_path, seed, train_size=100)
    content = yaml.safe_load(path.read_text())
    last = {"class_path": "lightning.pytorch.callbacks.ModelCheckpoint", "init_args": {"save_last": True}}
    content["trainer"] |= {"logger": False, "callbacks": [last], "num_sanity_val_steps": 0}
    path.write_text(yaml.safe_dump(content))
    return path


def shown(output: str) -> list[list[str]]:
    """The rows of the printed table: name, calls, seconds."""
    _, _, table = output.partition("the dearest of ")
    rows = table.split("\n\n")[0].splitlines()[2:]
    return [re.split(r"  +", row.strip()) for row in rows]


@pytest.mark.parametrize(
    ("given", "name", "heading"),
    [
        ("simple", "run_training_epoch", "Profiler Report"),
        ("pytorch", "aten::", "Self CPU time total"),
        ("lightning.pytorch.profilers.SimpleProfiler", "run_training_epoch", "Profiler Report"),
    ],
)
def test_the_report_is_in_the_run_and_the_dearest_are_shown(
    given: str, name: str, heading: str, config: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "--config", str(config), *SHORT, "--trainer.profiler", given]) == 0
    output, error = capfd.readouterr()
    run = config.parent / "runs" / "tiny" / "1"
    report = (run / "fit-profile.txt").read_text()
    assert heading in report
    assert heading not in output + error, "it is long"
    rows = shown(output)
    assert len(rows) == MOST_SHOWN
    seconds = [float(row[2]) for row in rows]
    assert seconds == sorted(seconds, reverse=True)
    assert any(row[0].startswith(name) for row in rows)
    assert f"profile          {run / 'fit-profile.txt'}" in output
    assert not [path for path in run.iterdir() if re.search(r"[\[\]()*?]", path.name)]
    assert "profiler" in (run / "config.yaml").read_text()
    assert "experiments.runs.profilers" not in (run / "config.yaml").read_text()


def test_the_functions_of_a_test(config: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--config", str(config), *SHORT]) == 0
    words = ["test", "--config", str(config), "--trainer.limit_test_batches", "1", "--trainer.profiler", "advanced"]
    assert main([*words, "--ckpt_path", "last"]) == 0
    output, _ = capfd.readouterr()
    run = config.parent / "runs" / "tiny" / "1"
    assert "cumulative" in (run / "test-profile.txt").read_text()
    assert len(shown(output)) == MOST_SHOWN
    assert not (run / "fit-profile.txt").exists()


def test_what_the_user_says_of_the_report_stays(config: Path, capfd: pytest.CaptureFixture[str]) -> None:
    place = config.parent / "elsewhere"
    words = ["--trainer.profiler", "SimpleProfiler", "--trainer.profiler.init_args.extended", "false"]
    words += ["--trainer.profiler.init_args.dirpath", str(place), "--trainer.profiler.init_args.filename", "mine"]
    assert main(["fit", "--config", str(config), *SHORT, *words]) == 0
    assert "Percentage" not in (place / "fit-mine.txt").read_text()
    assert f"profile          {place / 'fit-mine.txt'}" in capfd.readouterr().out


def test_a_try_shows_the_dearest_and_leaves_nothing(config: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["--trainer.fast_dev_run", "true", "--trainer.profiler", "simple"]
    assert main(["fit", "--config", str(config), *words]) == 0
    output, _ = capfd.readouterr()
    assert len(shown(output)) == MOST_SHOWN
    assert "profile          " not in output
    assert not (config.parent / "runs").exists()


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("simpel", "simple"),
        ("lightning.pytorch.profilers.SimpleProfile", "lightning.pytorch.profilers.SimpleProfiler"),
    ],
)
def test_an_unknown_profiler_is_told_with_those_that_there_are(
    given: str, meant: str, config: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "--config", str(config), "--trainer.profiler", given]) == 2
    error = capfd.readouterr().err
    assert f"seqlab: error: trainer.profiler is '{given}': did you mean '{meant}'" in error
    assert "known: advanced, lightning.pytorch.profilers.AdvancedProfiler" in error
    assert not (config.parent / "runs").exists()


def test_ctrl_c_loses_no_report(request: pytest.FixtureRequest, config: Path) -> None:
    words = ["fit", "--config", str(config), "--trainer.max_epochs", "-1", "--trainer.profiler", "simple"]
    process = ForkedSeqlab(*words)
    request.addfinalizer(process.kill)
    last = config.parent / "runs" / "tiny" / "1" / "checkpoints" / "last.ckpt"
    deadline = time.monotonic() + 120
    while not last.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "run_training_epoch" in (last.parents[1] / "fit-profile.txt").read_text()
    assert len(shown(output)) == MOST_SHOWN


def test_costs_are_sums_and_long_names_keep_their_ends(capsys: pytest.CaptureFixture[str]) -> None:
    profiler = RunSimpleProfiler()
    for number in range(12):
        profiler.recorded_durations[f"[Callback]{'x' * 200}.hook_{number:02}"] = [0.5, float(number)]
    assert Cost(f"[Callback]{'x' * 200}.hook_03", 2, 3.5) in profiler.costs()
    profiler.summary()
    rows = shown(capsys.readouterr().out)
    assert [row[1:] for row in rows] == [["2", f"{number + 0.5:.3f}"] for number in range(11, 1, -1)]
    assert all(
        len(row[0]) <= 72 and row[0].endswith(f".hook_{number:02}")
        for row, number in zip(rows, range(11, 1, -1), strict=True)
    )
