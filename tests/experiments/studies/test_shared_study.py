"""One study, several processes: each run is one process's alone, and no row is lost."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from experiments.cli import main
from experiments.studies.plan import planned_runs
from experiments.studies.results import Results
from experiments.studies.study import read_study
from tests.experiments.studies.study_files import write_study
from tests.experiments.studies.test_study_command import write_tiny_study

SBATCH = """\
#!/usr/bin/env python3
# The tasks of an array, all at once, as SLURM runs them.
import os, pathlib, re, subprocess, sys
script = sys.argv[-1]
last = int(re.search(r"^#SBATCH --array=0-(\\d+)$", pathlib.Path(script).read_text(), re.MULTILINE)[1])
tasks = []
for task in range(last + 1):
    environment = {**os.environ, "SLURM_JOB_ID": str(100 + task), "SLURM_ARRAY_TASK_ID": str(task)}
    output = open(f"task{task}.log", "w")
    tasks.append(subprocess.Popen(["bash", script], env=environment, stdout=output, stderr=output))
print(99 if not any(task.wait() for task in tasks) else "failed")
"""

SRUN = """\
#!/usr/bin/env bash
while [[ "$1" == --* ]]; do shift; done
exec "$@"
"""

pytestmark = pytest.mark.long


def put(place: Path, study: Path, first: int) -> None:
    """Writes every second of sixteen rows."""
    results = Results(place)
    for planned in planned_runs(read_study(study), "quick", range(8), place.parent)[first::2]:
        with results.held(planned) as mine:
            assert mine
            results.put(planned.key, {"status": "started", "command": planned.command, "configs": planned.configs})


def test_no_row_of_two_processes_is_lost(tmp_path: Path) -> None:
    study, place = write_study(tmp_path), tmp_path / "results.csv"
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        for written in [executor.submit(put, place, study, first) for first in range(2)]:
            written.result()
    results = Results(place)
    planned = planned_runs(read_study(study), "quick", range(8), tmp_path)
    assert all(results.get(each.key) is not None for each in planned)


def test_a_run_is_held_by_one(tmp_path: Path) -> None:
    planned, other = planned_runs(read_study(write_study(tmp_path)), "quick", [1], tmp_path)
    one, two = Results(tmp_path / "results.csv"), Results(tmp_path / "results.csv")
    with one.held(planned) as mine:
        one.put(planned.key, {"status": "started", "command": "", "configs": ""})
        with two.held(planned) as also, two.held(other) as another:
            assert (mine, also, another) == (True, False, True)
    with two.held(planned) as then:
        row = two.get(planned.key)
        assert then
        assert row is not None
        assert row["status"] == "started", "what was written meanwhile is known"


def test_an_array_job_runs_a_study(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a first process that SLURM gave notice to in the middle of a run."""
    for name, program in (("sbatch", SBATCH), ("srun", SRUN)):
        (tmp_path / name).write_text(program)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    study, root = write_tiny_study(tmp_path, seed), Path(__file__).parents[3]
    monkeypatch.setenv("PYTHONPATH", f"{root}:{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.chdir(tmp_path)
    command = ["study", str(study), "--seeds", "1"]
    place = tmp_path / "studies" / "tiny_study" / "quick"

    environment = {**os.environ, "SLURM_JOB_ID": "7"}
    begun = subprocess.Popen(
        [sys.executable, "-m", "experiments.cli", *command], env=environment, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while not list(place.glob("runs/*/*/record.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    begun.send_signal(signal.SIGUSR1)
    _, told = begun.communicate(timeout=60)
    assert begun.returncode == 138, told
    assert "the same command resumes the study" in told

    assert main([*command, "--executor", "slurm"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("job     99 (2 tasks)\n"), (tmp_path / "task0.log").read_text()
    with (place / "results.csv").open(newline="") as file:
        rows = {row["variant"]: row for row in csv.DictReader(file)}
    assert {name: row["status"] for name, row in rows.items()} == {"general": "finished", "none": "finished"}
    logs = [(tmp_path / f"task{task}.log").read_text() for task in range(2)]
    for log, variant, other in zip(logs, ("general", "none"), ("none", "general"), strict=True):
        assert f"{variant} seed 1: finished" in log
        assert f"{other} seed 1: finished" not in log
    assert (place / "table.md").is_file()
    assert any((place / "table.md").read_text().partition("![")[0].rstrip() in log for log in logs)
    assert main([*command, "--executor", "slurm"]) == 0
    assert capsys.readouterr().out == f"all 2 runs are finished in {place.relative_to(tmp_path)}\n"
