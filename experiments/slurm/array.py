"""Commands that take long, as tasks of a SLURM array in place of processes here."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from datamodules.errors import UserError
from experiments.config.tool_parser import positive
from experiments.slurm.sbatch import JobRequest, sbatch_script, submit

JOBS = "jobs"
"""Where scripts and output of jobs are."""

SLURM = "slurm"

ONLY_SLURM = ("time", "gpus_per_task", "sbatch", "setup", "dry_run")


def add_executor_options(parser: argparse.ArgumentParser) -> None:
    """Adds where a command runs, and what each of its tasks asks of SLURM."""
    parser.add_argument(
        "--executor",
        choices=["local", SLURM],
        default="local",
        help="where it runs: here, or as an array job of SLURM (default: local)",
    )
    group = parser.add_argument_group("with --executor slurm, each task of the array")
    group.add_argument("--time", metavar="LIMIT", help="time limit, as sbatch takes it: 04:00:00 (default: SLURM's)")
    group.add_argument("--cpus-per-task", type=positive, default=1, metavar="N", help="cores (default: 1)")
    group.add_argument("--gpus-per-task", type=positive, metavar="N", help="GPUs (default: none)")
    group.add_argument(
        "--sbatch",
        action="append",
        default=[],
        metavar="OPTION",
        help="a further option of sbatch, as --sbatch=--partition=gpu; may be given several times",
    )
    group.add_argument(
        "--setup",
        action="append",
        default=[],
        metavar="LINE",
        help="a line of shell to run first, as 'module load cuda'; may be given several times",
    )
    group.add_argument("--dry-run", action="store_true", help="print the script, and submit nothing")


def for_slurm(given: argparse.Namespace) -> bool:
    """Whether a command is to be submitted.

    Args:
        given: The options of :func:`add_executor_options`.

    Raises:
        UserError: It runs here, but something is asked of SLURM.
    """
    if given.executor == SLURM:
        return True
    for name in ONLY_SLURM:
        if getattr(given, name):
            raise UserError(f"--{name.replace('_', '-')} goes with --executor slurm")
    return False


def run_array(name: str, commands: Sequence[Sequence[str]], directory: Path, given: argparse.Namespace) -> None:
    """Submits commands as tasks of an array, or prints their script.

    Args:
        name: Name of the job.
        commands: At least one, each what is typed after ``seqlab``; all have to resume where they were when they are
            started again.
        directory: Gets the script and the output.
        given: The options of :func:`add_executor_options`.

    Raises:
        UserError: SLURM is not here, or refuses the job.
        RunFailed: The script cannot be written.
    """
    request = JobRequest(
        name=name,
        cpus_per_task=given.cpus_per_task,
        gpus_per_node=given.gpus_per_task or 0,
        time=given.time,
        log=directory / JOBS / ("%A-%a.log" if len(commands) > 1 else "%j.log"),
        options=given.sbatch,
        setup=given.setup,
    )
    if given.dry_run:
        print(sbatch_script(request, commands), end="")
        return
    script = directory / JOBS / f"{datetime.now():%Y%m%d-%H%M%S}.sh"
    job = submit(request, commands, script)
    print(f"job     {job} ({len(commands)} {'tasks' if len(commands) > 1 else 'task'})\nscript  {script}")
    print(f"output  {directory / JOBS / job}*.log")
