"""Jobs that share a search: what one of them holds no other takes, and what it leaves behind the next one takes up."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import BaseFileLock
from optuna.trial import TrialState

from datamodules.errors import RunFailed, UserError
from experiments.tuning.search import read_search
from experiments.tuning.shared_trials import JOURNAL, MOST_STARTS, SharedTrials
from tests.experiments.tuning.search_files import LR, write_search

KILLED = """
import os, signal, sys
from pathlib import Path
from experiments.tuning.search import read_search
from experiments.tuning.shared_trials import SharedTrials
trials = SharedTrials(Path(sys.argv[1]), read_search(Path(sys.argv[2])))
for trial in trials.mine(3):
    print(trial.number, trial.drawn, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def opened(folder: Path, **changes: object) -> SharedTrials:
    return SharedTrials(folder / "search", read_search(write_search(folder, **changes)))


def test_jobs_draw_as_many_trials_as_there_shall_be_and_each_once(tmp_path: Path) -> None:
    opened(tmp_path)

    def job(_: int) -> list[int]:
        trials = SharedTrials(tmp_path / "search", read_search(tmp_path / "tiny_search.yaml"))
        mine = []
        for trial in trials.mine(12):
            trials.finish(trial.number, trial.drawn[LR], tmp_path)
            mine.append(trial.number)
        return mine

    with ThreadPoolExecutor(4) as executor:
        taken = [number for numbers in executor.map(job, range(4)) for number in numbers]
    assert sorted(taken) == list(range(12))
    trials = opened(tmp_path)
    drawn = [trial.params[LR] for trial in trials.all()]
    assert len(set(drawn)) == 12, "jobs that begin alike do not draw alike"
    best = trials.best()
    assert best is not None
    assert best.value == min(drawn)


def test_a_trial_that_ends_while_another_job_looks_for_orphans_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = opened(tmp_path)
    held = trials.mine(3)
    next(held)
    other = opened(tmp_path)
    lock = other._lock

    def ended_just_now(number: int) -> BaseFileLock:
        if number == 0:
            trials.finish(0, 0.5, tmp_path)
            held.close()
        return lock(number)

    monkeypatch.setattr(other, "_lock", ended_just_now)
    drawn = other.mine(3)
    assert next(drawn).number == 1
    drawn.close()


def test_a_trial_whose_job_was_killed_is_taken_up_under_its_number(tmp_path: Path) -> None:
    trials = opened(tmp_path)
    held = trials.mine(3)
    first = next(held)
    program = [sys.executable, "-c", KILLED, str(tmp_path / "search"), str(tmp_path / "tiny_search.yaml")]
    killed = subprocess.run(program, capture_output=True, text=True, check=False)
    assert killed.stdout == f"1 {trials.get(1).params}\n", killed.stderr
    assert [trial.state for trial in trials.all()] == [TrialState.RUNNING] * 2
    others = trials.mine(3)
    assert next(others).drawn == trials.get(1).params
    trials.finish(1, 0.5, tmp_path)
    assert next(others).number == 2, "and not 0, which is held"
    assert first.number == 0
    held.close()
    others.close()


def test_what_is_killed_again_and_again_at_one_place_fails(tmp_path: Path) -> None:
    trials = opened(tmp_path)
    for _ in range(2):
        trials.begin(next(trials.mine(1)).number)
        trials.interrupt(0)  # Ctrl-C is no kill
    for _ in range(MOST_STARTS):
        trials.begin(next(trials.mine(1)).number)
    with pytest.raises(RunFailed, match="killed 3 times at the same place"):
        trials.begin(0)
    checkpoint = tmp_path / "search" / "runs" / "trial-0000" / "1" / "checkpoints" / "last.ckpt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    trials.begin(0)


@pytest.mark.parametrize(
    ("changes", "differs"),
    [({"mode": "max"}, "mode"), ({"parameters": {LR: {"low": 1e-4, "high": 1e-2}}, "seed": 2}, "parameters, seed")],
)
def test_the_storage_of_another_search_is_refused(changes: dict[str, object], differs: str, tmp_path: Path) -> None:
    next(opened(tmp_path).mine(1))
    next(opened(tmp_path).mine(1))
    with pytest.raises(UserError, match=rf"search holds another search \(it differs in {differs}\): give another --st"):
        opened(tmp_path, **changes)
    write_search(tmp_path)
    (tmp_path / "base.yaml").write_text("seed_everything: 2\n")
    with pytest.raises(UserError, match="differs in what its config files say"):
        opened(tmp_path)


def test_a_search_without_trials_may_be_mended(tmp_path: Path) -> None:
    opened(tmp_path)
    trials = opened(tmp_path, mode="max")
    for trial in trials.mine(2):
        trials.finish(trial.number, float(trial.number), tmp_path)
    best = opened(tmp_path, mode="max").best()
    assert best is not None
    assert best.number == 1, "the greatest is the best now"


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / JOURNAL).write_text("step,epoch\n1,2\n")
    with pytest.raises(UserError, match=r"journal\.log is not the journal of a search"):
        opened(tmp_path)
