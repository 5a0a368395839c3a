"""Studies and searches as array jobs: what each task types, and what is asked of SLURM alone."""

import re
import shlex
from pathlib import Path

import pytest

from datamodules.errors import UserError
from experiments.studies.command import main as study
from experiments.tuning.command import main as tune
from tests.experiments.studies.study_files import write_study
from tests.experiments.tuning.search_files import write_search

JOB = ["--executor", "slurm", "--time", "00:30:00", "--gpus-per-task", "1", "--sbatch=--partition=gpu", "--dry-run"]


def tasks(script: str) -> list[list[str]]:
    """What the tasks of a script type after ``seqlab``."""
    return [shlex.split(words) for words in re.findall(r"^  \d+\) run (.*) \|\| status", script, re.MULTILINE)]


def test_each_run_of_a_study_is_a_task(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [str(write_study(tmp_path)), "--directory", str(tmp_path / "studies"), "--seeds", "7,"]
    assert study([*given, *JOB]) == 0
    script = capsys.readouterr().out
    for line in ("--array=0-1", "--time=00:30:00", "--gres=gpu:1", "--partition=gpu"):
        assert f"\n#SBATCH {line}\n" in script
    assert tasks(script) == [
        ["study", given[0], "--preset", "quick", "--seeds", "7,", "--directory", given[2], "--share", f"{share}/2"]
        for share in (1, 2)
    ]
    assert not (tmp_path / "studies").exists(), "nothing is written"
    assert study([*given, *JOB, "--seeds", "4", "--jobs", "3"]) == 0
    assert [words[-1] for words in tasks(capsys.readouterr().out)] == ["1/3", "2/3", "3/3"]


def test_the_tasks_of_a_search_share_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    search = str(write_search(tmp_path))
    assert tune(["--config", search, "--storage", str(tmp_path / "s"), "--trials", "9", "--jobs", "4", *JOB]) == 0
    assert (
        tasks(capsys.readouterr().out)
        == [["tune", "--config", search, "--storage", str(tmp_path / "s"), "--trials", "9"]] * 4
    )


def test_what_is_asked_of_slurm_is_not_ignored_here(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--gpus-per-task goes with --executor slurm"):
        tune(["--config", str(write_search(tmp_path)), "--gpus-per-task", "1"])


@pytest.mark.parametrize("share", ["0/2", "3/2", "2", "a/b"])
def test_a_share_is_one_of_several(share: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--share: '"):
        study([str(write_study(tmp_path)), "--share", share])
