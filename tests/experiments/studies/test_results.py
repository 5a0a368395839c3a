"""A row is used again for the run that it is of, and for no other."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from datamodules.errors import RunFailed, UserError
from experiments.studies.measure import measured, run_since
from experiments.studies.plan import PlannedRun, planned_runs
from experiments.studies.results import Results
from experiments.studies.study import read_study
from tests.experiments.studies.study_files import write_study


@pytest.fixture
def planned(tmp_path: Path) -> PlannedRun:
    metrics = [
        {"name": "val/loss", "better": "lower", "take": "best"},
        {"name": "val/accuracy", "better": "higher", "take": "mean"},
        {"name": "test/loss", "better": "lower"},
    ]
    return planned_runs(read_study(write_study(tmp_path, metrics=metrics)), "quick", [1], tmp_path / "out")[0]


def write_run(run: Path, rows: str) -> Path:
    run.mkdir(parents=True)
    (run / "record.json").write_text('{"parameters": 12, "data": {"train": "a"}, "data_order": "b", "commit": "c"}')
    (run / "metrics.csv").write_text(f"step,epoch,time,val/loss,val/accuracy,test/loss\n{rows}")
    return run


def test_cells_are_what_the_metrics_say(planned: PlannedRun, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", "9,0,1,3.0,0.5,\n19,1,2,2.0,0.7,\n29,2,3,2.5,0.9,\n0,0,4,,,9.0\n0,0,5,,,8.0\n")
    cells = measured(planned, run)
    assert (cells["updates"], cells["parameters"], cells["commit"]) == ("30", "12", "c")
    assert (cells["best val/loss"], cells["test/loss"]) == ("2.0", "8.0"), "the test that ran last counts"
    assert float(cells["mean val/accuracy"]) == pytest.approx(0.7)


def test_what_was_not_logged_is_named_with_what_was(planned: PlannedRun, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"metric 'test/loss' is not in .*: known: val/accuracy, val/loss"):
        measured(planned, write_run(tmp_path / "run", "9,0,1,3.0,0.5,\n"))
    with pytest.raises(RunFailed, match="metric 'test/loss' is nan"):
        measured(planned, write_run(tmp_path / "other", "9,0,1,3.0,0.5,nan\n"))


def test_a_finished_row_is_that_of_its_command_its_configs_and_its_metrics(planned: PlannedRun, tmp_path: Path) -> None:
    row = {"status": "finished", "command": planned.command, "configs": planned.configs}
    row |= dict.fromkeys(planned.columns, "1.0")
    path = tmp_path / "results.csv"
    for change in ({"status": "started"}, {"command": "seqlab fit"}, {"configs": "other"}, {"test/loss": ""}):
        Results(path).put(planned.key, {**row, **change})
        assert Results(path).finished(planned) is None, change
    Results(path).put(planned.key, row)
    assert Results(path).finished(planned) is not None


def test_another_file_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text("name,value\nx,1\n")
    with pytest.raises(UserError, match="is not the results of a study"):
        Results(path)


def test_a_run_directory_from_before_is_not_taken_for_the_run(tmp_path: Path) -> None:
    """Else a changed run that was killed early would resume from the checkpoint of the old one."""
    old = write_run(tmp_path / "1", "")
    os.utime(old / "record.json", (1000, 1000))
    started = datetime.now(UTC).isoformat(timespec="seconds")
    assert run_since(started, tmp_path) is None
    new = write_run(tmp_path / "2", "")
    assert run_since(started, tmp_path) == new
