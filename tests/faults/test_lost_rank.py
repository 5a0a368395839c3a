"""One process of several is killed: the others end soon and say which, or torchrun starts all of them again."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from experiments.processes.seqlab_process import start_seqlab
from tests.faults.outcome import Outcome
from tests.faults.phase import VARIABLE, told_phase
from tests.faults.task import write_task

SOON = 60.0
"""Seconds that the others may take to end."""

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")

pytestmark = pytest.mark.long


class Training:
    """Two processes that train; the output of both is in one file.

    Args:
        folder: Where everything is written.
        seed: Seed of the training.
        torchrun: The words that start torchrun; without any Lightning starts the second process.
    """

    def __init__(self, folder: Path, seed: int, torchrun: Sequence[str] = ()) -> None:
        folder.mkdir()
        self.run = folder / "runs" / "killed" / "1"
        self._log, self._phase = folder / "log", folder / "phase"
        words = ["fit", "--config", str(write_task(folder, seed)), "--trainer.default_root_dir", str(folder / "runs")]
        words += ["--trainer.devices", "2", "--trainer.strategy", "ddp", "--ckpt_path", "last"]
        environment = {**os.environ, VARIABLE: str(self._phase)}
        self._process: BaseProcess | subprocess.Popen[bytes]
        if torchrun:
            command = [sys.executable, *torchrun, "-m", "experiments.cli", *words]
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        else:
            self._process = start_seqlab(words, self._log, environment, threads=1)

    @property
    def log(self) -> str:
        """What all processes printed."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def kill_rank(self, rank: int) -> float:
        """Kills one process in the middle of training; when that was, by ``time.monotonic()``."""
        while not ((self.run / "checkpoints" / "last.ckpt").exists() and told_phase(self._phase) == "in a step"):
            assert self._status is None, self.log
            time.sleep(0.002)
        os.kill(self._id_of(rank), signal.SIGKILL)
        return time.monotonic()

    def wait(self, seconds: float = math.inf) -> int:
        """Its exit status; the negative number of a signal that ended it."""
        end = time.monotonic() + seconds
        while (status := self._status) is None:
            assert time.monotonic() < end, self.log
            time.sleep(0.05)
        return status

    @property
    def _status(self) -> int | None:
        return self._process.poll() if isinstance(self._process, subprocess.Popen) else self._process.exitcode

    def _id_of(self, rank: int) -> int:
        """The id of a rank's process: it or an ancestor of it was started here."""
        if isinstance(self._process, BaseProcess) and rank == 0:
            assert self._process.pid is not None
            return self._process.pid
        for path in Path("/proc").glob("[0-9]*"):
            try:
                words = (path / "cmdline").read_bytes().split(b"\0")
                environment = (path / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            is_ours = f"{VARIABLE}={self._phase}".encode() in environment and b"fit" in words
            if is_ours and f"LOCAL_RANK={rank}".encode() in environment:
                return int(path.name)
        raise AssertionError(f"there is no rank {rank}")


@pytest.mark.parametrize("rank", [0, 1])
def test_the_other_rank_ends_and_says_why(rank: int, tmp_path: Path, seed: int) -> None:
    training = Training(tmp_path / "training", seed)
    killed = training.kill_rank(rank)
    status = training.wait(SOON)
    while "seqlab: error" not in training.log and time.monotonic() < killed + SOON:
        time.sleep(0.1)
    print(f"{time.monotonic() - killed:.1f} s after rank {rank} was killed: status {status}")
    assert status != 0
    names = "rank 0 has ended" if rank == 0 else r"rank 1 (process"
    assert f"seqlab: error: {names}" in training.log, training.log


def test_torchrun_starts_all_again_and_they_go_on_exactly(tmp_path: Path, seed: int) -> None:
    whole = Training(tmp_path / "whole", seed)
    assert whole.wait() == 0, whole.log
    training = Training(tmp_path / "training", seed, (*TORCHRUN, "--max-restarts", "1"))
    training.kill_rank(1)
    assert training.wait() == 0, training.log
    assert "Restoring states from the checkpoint" in training.log
    assert not Outcome.of(whole.run).differences(Outcome.of(training.run))
