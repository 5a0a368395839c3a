"""A SLURM of two nodes, both of them this machine, in a directory of its own: an installed one is left alone."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

CONFIGURATION = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
CredType=cred/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1,defer_batch
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=5
ReturnToService=2
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=4 State=UNKNOWN
NodeName=node2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=4 State=UNKNOWN
PartitionName=main Nodes=node1,node2 Default=YES MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=20
PartitionName=urgent Nodes=node1,node2 MaxTime=INFINITE State=UP PriorityTier=2
"""

PROGRAMS = ("setpriv", "munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "scancel", "squeue")


def missing() -> str:
    """Why no SLURM can be started here; empty where it can."""
    absent = [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]
    if absent:
        return f"{', '.join(absent)} not installed (Debian: slurmctld slurmd slurm-client munge)"
    if os.geteuid() != 0:
        return "a SLURM of one's own needs root"
    try:
        address = socket.gethostbyname(socket.gethostname())
    except OSError:
        address = "none"
    return "" if address.startswith("127.") else f"{socket.gethostname()} has the address {address}, not a local one"


def _path() -> str:
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"


class TwoNodes:
    """The daemons, from :meth:`start` to :meth:`stop`.

    Args:
        folder: Where they keep everything. Its path is short: a socket's name has an end.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.configuration = folder / "slurm.conf"
        self._daemons: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Starts munged, slurmctld and slurmd, and waits until the node takes jobs."""
        for name in ("munge", "state", "node1", "node2"):
            (self.folder / name).mkdir(mode=0o755)
        ports = [_free_port() for _ in range(3)]
        self.configuration.write_text(CONFIGURATION.format(host=socket.gethostname(), folder=self.folder, ports=ports))
        (self.folder / "cgroup.conf").write_text(
            "CgroupPlugin=cgroup/v1\n"
        )  # named: else slurmd looks for a mounted one
        key = self.folder / "munge" / "key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        munge = [f"--{name}-file={self.folder / 'munge' / name}" for name in ("key", "pid", "log", "seed")]
        self._daemon("munged", "--foreground", "--force", f"--socket={self.folder / 'munge' / 'socket'}", *munge)
        wait_for(lambda: (self.folder / "munge" / "socket").exists(), 10, "munged answers")
        self._daemon("slurmctld", "-D", "-i", "-f", str(self.configuration))
        wait_for(lambda: self.says("scontrol", "ping").find("UP") >= 0, 20, "slurmctld answers")
        for node in ("node1", "node2"):
            self._daemon("slurmd", "-D", "-N", node, "-f", str(self.configuration))
        wait_for(lambda: self.says("sinfo", "--noheader", "--format=%t %D") == "idle 2", 20, "both nodes are idle")

    def stop(self) -> None:
        """Cancels what runs, and ends the daemons."""
        self.says("scancel", "--user=root")
        for daemon in reversed(self._daemons):
            daemon.terminate()
            try:
                daemon.wait(timeout=10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def last_words(self) -> str:
        """The last line that a daemon wrote."""
        lines = (self.folder / "daemons.log").read_text(errors="replace").splitlines()
        return lines[-1] if lines else "the daemons said nothing"

    def environment(self) -> dict[str, str]:
        """What makes SLURM's commands talk to this one."""
        return {"SLURM_CONF": str(self.configuration), "PATH": _path()}

    def says(self, *command: str) -> str:
        """What a command of SLURM's prints; empty where it fails."""
        done = subprocess.run(
            command, env={**os.environ, **self.environment()}, capture_output=True, text=True, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    def shown(self, job: str, field: str) -> str:
        """What ``scontrol show job`` says of a job, for example its JobState or Restarts."""
        fields = self.says("scontrol", "show", "job", job, "--oneliner").split()
        return dict(each.partition("=")[::2] for each in fields).get(field, "")

    def processes(self, job: str) -> int:
        """How many processes of seqlab a job has.

        A signal is lost where SLURM has a job's step in its list, and its processes are not yet begun.
        """
        return sum(_is_seqlab_of(job, each) for each in Path("/proc").glob("[0-9]*"))

    def _daemon(self, *command: str) -> None:
        with (self.folder / "daemons.log").open("ab") as log:
            self._daemons.append(
                subprocess.Popen(
                    ["setpriv", "--pdeathsig", "TERM", *command],  # it outlives no killed test
                    env={**os.environ, **self.environment()},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )


def wait_for(happened: Callable[[], bool], seconds: float, what: str) -> None:
    """Waits until something has happened.

    Raises:
        TimeoutError: It has not within the time.
    """
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s until {what}")
        time.sleep(0.1)


def _is_seqlab_of(job: str, process: Path) -> bool:
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
        environment = (process / "environ").read_bytes().split(b"\0")
    except OSError:  # it has ended
        return False
    has_begun = b"experiments.cli" in words and words[0] not in (b"srun", b"env")
    return has_begun and {f"SLURM_JOB_ID={job}".encode(), b"SLURM_STEP_ID=0"} <= set(environment)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
