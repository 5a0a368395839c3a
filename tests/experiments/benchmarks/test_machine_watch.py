"""What others did on the machine, from numbers that are written here and from the system's own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.benchmarks.machine_watch import MachineWatch

SPIN = "import time\nend = time.process_time() + {seconds}\nwhile time.process_time() < end: pass"


def write_machine(proc: Path, busy: int, idle: int, steal: int, processes: dict[int, tuple[int, int, int]]) -> None:
    """A system's numbers: ticks of two processors together; of each process its parent, own ticks and waited for."""
    proc.mkdir(exist_ok=True)
    (proc / "stat").write_text(f"cpu  {busy - 30} 10 10 {idle} 0 5 5 {steal} 0 0\ncpu0 0 0\n")
    (proc / "cpuinfo").write_text("cpu MHz\t\t: 2000.0\nflags: x\ncpu MHz\t\t: 3000.0\n")
    for number, (parent, own, waited) in processes.items():
        (proc / str(number)).mkdir(exist_ok=True)
        fields = ["S", str(parent), *["0"] * 9, str(own - 1), "1", str(waited), "0"]
        (proc / str(number) / "stat").write_text(f"{number} (a name) with) {' '.join(fields)} 0 0")


def test_others_are_what_is_busy_without_this_process_and_what_it_started(tmp_path: Path) -> None:
    me, proc = os.getpid(), tmp_path / "proc"
    write_machine(proc, 100, 900, 0, {me: (1, 10, 0), 900001: (me, 5, 0), 900002: (900001, 5, 0), 900003: (1, 50, 0)})
    watch = MachineWatch(proc)
    # 200 ticks passed: 100 busy, of which 60 of ours (the first child has ended, with its own), and 20 stolen
    write_machine(proc, 200, 980, 20, {me: (1, 30, 45), 900003: (1, 90, 0)})
    for gone in (900001, 900002):
        (proc / str(gone) / "stat").unlink()
    found = watch.end()
    ours = (30 + 45) - (10 + 5 + 5)
    assert found.own == pytest.approx(ours / 200)
    assert found.others == pytest.approx((100 - ours + 20) / 200)
    assert found.steal == pytest.approx(20 / 200)
    assert found.megahertz == 2500.0


@pytest.mark.skipif(not MachineWatch.available(), reason="the system does not tell of its processes")
def test_ones_own_work_is_none_of_others_and_theirs_is() -> None:
    """A second of work by a child of this process, and by a child that its parent left."""
    spin = SPIN.format(seconds=1.0)
    abandoned = f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {spin!r}])"

    def seconds(command: list[str], wait: float) -> tuple[float, float]:
        watch, started = MachineWatch(), time.monotonic()
        subprocess.run(command, check=True)
        time.sleep(wait)
        found = watch.end()
        machine = (time.monotonic() - started) * (os.cpu_count() or 1)
        return found.own * machine, found.others * machine

    own, _ = seconds([sys.executable, "-c", spin], 0.0)
    assert 0.9 < own < 2.5
    own, others = seconds([sys.executable, "-c", abandoned], 4.0)
    assert own < 0.7
    assert others > 0.8
