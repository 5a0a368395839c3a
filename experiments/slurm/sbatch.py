"""SLURM: a script for any command of seqlab, or for an array of them, and its submission."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from datamodules.errors import RunFailed, UserError
from experiments.storage.durable import durable_write

JOB_ID = "$SLURM_JOB_ID"
"""A word of a command: in its place stands the id of the job when it runs, the same after each requeue. Each task of an
array has an id of its own."""

SCRIPT = """\
#!/usr/bin/env bash
{directives}

export OMP_NUM_THREADS="${{SLURM_CPUS_PER_TASK:-1}}"
{setup}
# A signal that comes before a process listens to it is held back until then, where env can do that.
early=$(env --block-signal=USR1 true 2> /dev/null && echo env --block-signal=USR1 || true)

# Where one task fails, the others would wait for it: --kill-on-bad-exit ends them.
run() {{
  srun --kill-on-bad-exit=1 --cpus-per-task="${{SLURM_CPUS_PER_TASK:-1}}" $early {python} -m experiments.cli "$@"
}}

status=0
case "${{SLURM_ARRAY_TASK_ID:-0}}" in
{commands}
esac

# 138 is 128 and the number of SIGUSR1, which ends a process that does not listen to it.
# The id of an array's last task is that of the whole array, and the others would be requeued with it.
if [ "$status" -eq 138 ]; then
  scontrol requeue "${{SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}}${{SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}}"
fi
exit "$status"
"""
"""The script of every job."""


@dataclass(frozen=True)
class JobRequest:
    """What a job asks of SLURM.

    Attributes:
        name: Name of the job.
        nodes: How many machines.
        tasks_per_node: Processes on each of them; a training has one for each of its devices.
        cpus_per_task: Cores of each process.
        gpus_per_node: GPUs of each machine; every process of a machine sees all of them.
        time: The time limit, as sbatch takes it, for example ``04:00:00``; None for the partition's.
        at_once: Tasks of an array that may run at the same time; None for as many as there is room for.
        notice: Seconds before the time limit at which every process gets SIGUSR1. SLURM may be up to a minute early.
        log: File that all output is added to, where sbatch puts in ``%j`` and the like; its directory is made.
        options: Further options of sbatch, each one word: ``--partition=gpu``.
        setup: Lines of shell to run first, for example ``module load cuda``.
    """

    name: str
    nodes: int = 1
    tasks_per_node: int = 1
    cpus_per_task: int = 1
    gpus_per_node: int = 0
    time: str | None = None
    at_once: int | None = None
    notice: int = 120
    log: Path = Path("slurm-%j.log")
    options: Sequence[str] = field(default=())
    setup: Sequence[str] = field(default=())


def sbatch_script(request: JobRequest, commands: Sequence[Sequence[str]]) -> str:
    """The script of a job.

    It is run again from its beginning when SLURM has preempted it, when a node fails, and when one of its commands asks
    for it (``scontrol requeue``): every command has to be one that resumes where it was.

    Args:
        request: What it asks for.
        commands: At least one, each what is typed after ``seqlab``. Of several each is a task of an array job, with
            all that the request asks for.

    Raises:
        UserError: A further option of sbatch is not one word that begins with a dash.
    """
    for option in request.options:
        if not re.fullmatch(r"-\S+", option):
            raise UserError(f"'{option}' is no option of sbatch in one word: write it as --partition=gpu")
    asked = {
        "--job-name": request.name,
        "--nodes": request.nodes,
        "--ntasks-per-node": request.tasks_per_node,
        "--cpus-per-task": request.cpus_per_task,
        "--gres": f"gpu:{request.gpus_per_node}" if request.gpus_per_node else None,
        "--time": request.time,
        "--signal": f"USR1@{request.notice}",
        "--array": _array(len(commands), request.at_once) if len(commands) > 1 else None,
        "--chdir": Path.cwd(),
        "--output": request.log.absolute(),
    }
    options = [f"{name}={value}" for name, value in asked.items() if value is not None]
    options += ["--open-mode=append", "--requeue", *request.options]
    return SCRIPT.format(
        directives="\n".join(f"#SBATCH {_quoted(option)}" for option in options),
        setup="".join(f"{line}\n" for line in request.setup),
        python=shlex.quote(sys.executable),
        commands="\n".join(
            f"  {number}) run {' '.join(map(_quoted, words))} || status=$? ;;" for number, words in enumerate(commands)
        ),
    )


def _array(tasks: int, at_once: int | None) -> str:
    return f"0-{tasks - 1}" if at_once is None else f"0-{tasks - 1}%{at_once}"


def _quoted(word: str) -> str:
    return f'"{JOB_ID}"' if word == JOB_ID else shlex.quote(word)


def submit(request: JobRequest, commands: Sequence[Sequence[str]], script: Path) -> str:
    """Writes the script of a job, and gives it to sbatch.

    Args:
        request: What it asks for.
        commands: As :func:`sbatch_script` takes them.
        script: Where the script is written.

    Returns:
        The job's id.

    Raises:
        UserError: SLURM is not here, or refuses the job.
        RunFailed: The script cannot be written.
    """
    text = sbatch_script(request, commands)
    try:
        script.parent.mkdir(parents=True, exist_ok=True)
        request.log.absolute().parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunFailed(f"cannot make the directories of {script} and {request.log}: {error.strerror}") from error
    with durable_write(script) as file:
        file.write(text.encode())
    try:
        done = subprocess.run(["sbatch", "--parsable", str(script)], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UserError(f"there is no sbatch here: give {script} to it on a machine of the cluster") from None
    if done.returncode:
        raise UserError(f"sbatch refuses {script}: {' '.join(done.stderr.split()).removeprefix('sbatch: error: ')}")
    return done.stdout.strip().partition(";")[0]  # behind a semicolon stands the name of the cluster
