"""What is installed once, what is measured of a process, and the clock that runs inside a toolkit."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import lightning
import pytest
import torch

from datamodules.errors import RunFailed
from experiments.benchmarks.peers import Yoyodyne, search_clock, step_clock, yoyodyne
from experiments.benchmarks.peers.environment import MARKER, Environment
from experiments.benchmarks.peers.hardware import Hardware
from experiments.benchmarks.peers.process import Command, Finished, run
from experiments.benchmarks.peers.search_clock import SearchClock
from experiments.benchmarks.peers.speed import Report, search_seconds
from experiments.benchmarks.peers.step_clock import StepClock


def python(code: str, directory: Path) -> Command:
    return Command([sys.executable, "-I", "-c", code], directory, Hardware(3), variables={"GREETING": "hello"})


def test_a_process_is_told_its_threads_and_variables(tmp_path: Path) -> None:
    code = "import os; print(os.environ['OMP_NUM_THREADS'], os.environ['GREETING'], os.environ['CUDA_VISIBLE_DEVICES'])"
    assert run(python(code, tmp_path), "greet").output == "3 hello \n"
    assert (tmp_path / "greet.out").read_text() == "3 hello \n"


def test_memory_is_that_of_the_process_alone(tmp_path: Path) -> None:
    """Not of the tests, which have torch and more in theirs."""
    small, large = (
        run(python(f"held = bytearray({size} * 2**20)", tmp_path), "hold").peak_memory_mib for size in (0, 200)
    )
    assert small < 60
    assert large - small == pytest.approx(200, abs=20)


def test_time_is_that_of_the_process(tmp_path: Path) -> None:
    assert 0.3 < run(python("import time; time.sleep(0.3)", tmp_path), "sleep").seconds < 10


def test_a_process_that_says_nothing_fails_too(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match="it says nothing"):
        run(python("raise SystemExit(1)", tmp_path), "fail")


def test_an_environment_that_is_finished_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / MARKER).write_text("pip install --no-index no-package-has-this-name\n")
    Environment(tmp_path, [["--no-index", "no-package-has-this-name"]]).make()
    assert capsys.readouterr().err == ""


def test_an_installation_that_fails_is_told_and_not_taken_for_finished(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = Environment(tmp_path / "environment", [["--no-index", "no-package-has-this-name"]])
    with pytest.raises(RunFailed, match=r"^pip install .*: failed in .*: ERROR: No matching distribution found for"):
        environment.make()
    assert Path(environment.program("python")).exists()
    assert not (tmp_path / "environment" / MARKER).exists()
    assert "environment: a new virtual environment\n" in capsys.readouterr().err


def test_the_clock_counts_real_tokens(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Two updates, of 3 and 4 tokens, in two seconds; the line is one that the peer reads."""
    monkeypatch.setattr(step_clock, "time", SimpleNamespace(perf_counter=iter([10.0, 12.0]).__next__))
    clock, trainer, module = StepClock(every=2), SimpleNamespace(global_step=0), lightning.LightningModule()
    clock.on_train_start(trainer, module)
    for padding in ([[False, False, True], [False, True, True]], [[False, False], [False, False]]):
        trainer.global_step += 1
        batch = SimpleNamespace(target=SimpleNamespace(mask=torch.tensor(padding)))
        clock.on_train_batch_end(trainer, module, None, batch, 0)
    told = Finished(seconds=2.0, peak_memory_mib=1.0, output=capsys.readouterr().out, log="")
    assert Yoyodyne.reports(told) == [Report(step=2, time=12.0, target_tokens_per_second=3.5)]


def test_the_clock_of_a_search(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its line is one that the peer reads."""
    monkeypatch.setattr(search_clock, "time", SimpleNamespace(perf_counter=iter([10.0, 12.5]).__next__))
    clock, trainer, module = SearchClock(), SimpleNamespace(), lightning.LightningModule()
    clock.on_predict_start(trainer, module)
    clock.on_predict_end(trainer, module)
    told = Finished(seconds=5.0, peak_memory_mib=1.0, output=capsys.readouterr().out, log="")
    assert search_seconds(told, yoyodyne.SEARCH, Yoyodyne.title) == 2.5
