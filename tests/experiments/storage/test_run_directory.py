"""Which directory a run gets, and which checkpoint a word means."""

import json
import os
from pathlib import Path

import pytest

from datamodules.errors import UserError
from experiments.checkpoints.finding import meant_checkpoint
from experiments.storage.layout import newest_run, run_of
from experiments.storage.run_directory import alone_in, new_run, reserved_run


@pytest.fixture(autouse=True)
def outside_of_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLURM_JOB_ID", "SLURM_RESTART_COUNT", "LOCAL_RANK", "SEQLAB_RUN_DIRECTORY"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def finish(run: Path, *names: str, at: int = 0) -> None:
    """Leaves checkpoints and a config in a run's directory."""
    (run / "checkpoints").mkdir()
    (run / "config.yaml").touch()
    for name in names:
        (run / "checkpoints" / name).touch()
        os.utime(run / "checkpoints" / name, (at, at))


def test_versions_count_up_and_are_never_taken_twice(tmp_path: Path) -> None:
    assert [new_run(tmp_path, "x").name for _ in range(3)] == ["1", "2", "3"]
    (tmp_path / "x" / "10").mkdir()
    assert new_run(tmp_path, "x") == tmp_path / "x" / "11"
    assert new_run(tmp_path, "y") == tmp_path / "y" / "1"


def test_under_slurm_the_version_is_the_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    assert new_run(tmp_path, "x") == new_run(tmp_path, "x") == tmp_path / "x" / "4711"


def test_a_job_may_begin_several_runs_and_finds_each_again_when_it_is_requeued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    commands = [f"seqlab fit --seed_everything {seed}" for seed in (1, 2, 3)]
    for command, name in zip(commands, ("4711", "4711-2", "4711-3"), strict=True):
        run = new_run(tmp_path, "x", command=command)
        assert run == new_run(tmp_path, "x", command=command) == tmp_path / "x" / name, "all processes have one"
        finish(run, "last.ckpt")
        (run / "record.json").write_text(json.dumps({"command": command}))
    assert new_run(tmp_path, "x", command=commands[0]).name == "4711-4", "the same was typed once more"
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    for command, name in zip(commands, ("4711", "4711-2", "4711-3"), strict=True):
        assert new_run(tmp_path, "x", command=command).name == name
    assert new_run(tmp_path, "x", command="another").name == "4711-4"
    monkeypatch.delenv("SLURM_RESTART_COUNT")
    first, second = (reserved_run(tmp_path, "y") for _ in range(2))
    assert (first.name, second.name) == ("4711", "4711-2")


def test_a_version_that_is_given_is_taken_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    assert new_run(tmp_path, "x", "mine") == new_run(tmp_path, "x", "mine") == tmp_path / "x" / "mine"
    for wrong in ("../up", "a/b", "..", ""):
        with pytest.raises(UserError, match=f"--version '{wrong}' is no name"):
            new_run(tmp_path, "x", wrong)


def test_a_process_started_by_rank_zero_has_its_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = new_run(tmp_path, "x")
    assert new_run(tmp_path, "x") != first, "the next run in the same process has one of its own"
    monkeypatch.setenv("SEQLAB_RUN_DIRECTORY", str(first))
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert new_run(tmp_path, "x") == first


def test_words_mean_the_newest_run_that_has_a_checkpoint(tmp_path: Path) -> None:
    runs = [new_run(tmp_path, "x") for _ in range(3)]
    assert newest_run(tmp_path, "x") is None
    finish(runs[0], "best.ckpt", "last.ckpt", at=200)
    finish(runs[1], "last.ckpt", at=100)
    assert newest_run(tmp_path, "x") == runs[0]
    assert meant_checkpoint("last", tmp_path, "x") == runs[0] / "checkpoints" / "last.ckpt"
    assert meant_checkpoint(str(runs[1]), tmp_path, "x") == runs[1] / "checkpoints" / "last.ckpt"
    assert meant_checkpoint("some.ckpt", tmp_path, "x") == Path("some.ckpt")
    with pytest.raises(UserError, match=r"averaged\.ckpt does not exist; known: best, last"):
        meant_checkpoint("averaged", tmp_path, "x")
    with pytest.raises(UserError, match="experiment 'y' has no checkpoint"):
        meant_checkpoint("last", tmp_path, "y")


def test_the_run_of_a_checkpoint(tmp_path: Path) -> None:
    run = new_run(tmp_path, "x")
    finish(run, "best.ckpt")
    assert run_of(run / "checkpoints" / "best.ckpt") == run
    assert run_of(tmp_path / "elsewhere.ckpt") is None


def test_an_unwritable_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot make a run directory in .*--trainer\.default_root_dir"):
        new_run(tmp_path / "file", "x")


def test_two_trainings_cannot_share_a_directory(tmp_path: Path) -> None:
    told = pytest.raises(UserError, match=r"another seqlab fit trains in .*: wait for its end, or go elsewhere$")
    with alone_in(tmp_path, "go elsewhere"), told, alone_in(tmp_path, "go elsewhere"):
        pass
    with alone_in(tmp_path, "go elsewhere"):
        pass
