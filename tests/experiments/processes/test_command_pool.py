"""Commands that run at once share the cores."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from datamodules.errors import UserError
from experiments.processes.command_pool import CommandPool

OWN_MODULE = """
import os
from pathlib import Path
import torch
Path("threads").write_text(f"{os.environ['OMP_NUM_THREADS']} {torch.get_num_threads()}")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module whose import writes how many threads there are, where commands find it."""
    (tmp_path / "own_threads.py").write_text(OWN_MODULE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def threads(folder: Path, jobs: int) -> str:
    """The threads of a command, by OpenMP's variable and by torch; it ends where its module has no such class."""
    with pytest.raises(UserError, match="has no class 'Model'"):
        CommandPool("a group", jobs).run(["fit", "--model", "own_threads.Model"], folder / "log.txt")
    return (folder / "threads").read_text()


def test_the_cores_are_divided_among_commands(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS")
    cores = len(os.sched_getaffinity(0))
    for jobs, each in ((1, cores), (cores, 1), (cores + 1, 1)):
        assert threads(folder, jobs) == f"{each} {each}"


def test_a_number_of_threads_that_is_given_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads(folder, 1).split()[0] == "3"
