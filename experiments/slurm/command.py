"""``seqlab slurm``: ``seqlab fit`` as a job of a SLURM cluster, which a time limit or a preemption does not end."""

from __future__ import annotations

import argparse
import contextlib
import io
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from datamodules.errors import UserError
from experiments.config.tool_parser import ToolParser, positive
from experiments.slurm.sbatch import JOB_ID, JobRequest, sbatch_script, submit

JOBS = "jobs"
"""Where scripts and output of an experiment's jobs are, beside its runs."""

GIVEN_BY_JOB = {
    "--trainer.accelerator": "--gpus-per-node, or without GPUs",
    "--trainer.devices": "--gpus-per-node, or without GPUs --tasks-per-node",
    "--trainer.num_nodes": "--nodes",
}
"""Options of fit that follow from what the job asks for, and what says them here."""

EPILOG = """\
All other options are those of seqlab fit, and go on to it.

Every device gets a process: with GPUs as many on each node as --gpus-per-node says, else --tasks-per-node of them on
CPUs. Before its time is over, a training writes a checkpoint between two batches, and its job goes back into the queue;
so it does where SLURM preempts it or a node fails. It then resumes in the same directory, RUNS/EXPERIMENT/JOB, with the
same run in W&B, at the very next batch (after a failed node, at its last checkpoint). --notice has to be longer than
the longest validation takes, and a minute more: SLURM may be early.

examples:
  seqlab slurm --config configs/nmt/multi30k.yaml --nodes 2 --gpus-per-node 8 --cpus-per-task 4 --time 04:00:00
  seqlab slurm --config configs/nmt/dates.yaml --tasks-per-node 4 --sbatch=--partition=cpu --seed_everything 3 --dry-run
"""


def main(arguments: list[str]) -> int:
    """Runs the command.

    Args:
        arguments: What follows ``seqlab slurm``.

    Returns:
        The exit status.

    Raises:
        UserError: Something is wrong with the options, those of fit among them, or SLURM refuses the job.
        RunFailed: The script cannot be written.
    """
    given, words = _parser().parse_known_args(arguments)
    _check(words)
    config = _config_of(words)
    jobs = Path(config["trainer"]["default_root_dir"] or "runs") / config["experiment"] / JOBS
    request = JobRequest(
        name=re.sub(r"\s+", "-", config["experiment"]),
        nodes=given.nodes,
        tasks_per_node=given.gpus_per_node or given.tasks_per_node,
        cpus_per_task=given.cpus_per_task,
        gpus_per_node=given.gpus_per_node or 0,
        time=given.time,
        notice=given.notice,
        log=jobs / "%j.log",
        options=given.sbatch,
        setup=given.setup,
    )
    command = fit_words(request, words, config)
    if given.dry_run:
        print(sbatch_script(request, [command]), end="")
        return 0
    script = jobs / f"{datetime.now():%Y%m%d-%H%M%S}.sh"
    job = submit(request, [command], script)
    print(f"job     {job}\nscript  {script}\noutput  {jobs / f'{job}.log'}")
    if "--version" not in words:
        print(f"run     {jobs.parent / job}")
    return 0


def fit_words(request: JobRequest, words: Sequence[str], config: dict[str, Any]) -> list[str]:
    """What a job types after ``seqlab``: a fit on all that it has, which resumes where it was each time it is started.

    Args:
        request: What the job asks for.
        words: The options of fit.
        config: What they resolve to.
    """
    command = [
        "fit",
        *words,
        *("--trainer.accelerator", "gpu" if request.gpus_per_node else "cpu"),
        *("--trainer.devices", str(request.tasks_per_node)),
        *("--trainer.num_nodes", str(request.nodes)),
    ]
    if request.nodes * request.tasks_per_node > 1 and config["trainer"]["strategy"] == "auto":
        command += ["--trainer.strategy", "ddp"]
    return command if "--version" in words else [*command, "--version", JOB_ID]


def _check(words: Sequence[str]) -> None:
    """Refuses options of fit that the job decides.

    Raises:
        UserError: There is one, or a word that is no option.
    """
    for word in words:
        option = word.partition("=")[0]
        if option in GIVEN_BY_JOB:
            raise UserError(f"{option} follows from what the job asks for: say {GIVEN_BY_JOB[option]}")
    if words and not words[0].startswith("-"):
        raise UserError(f"'{words[0]}' stands alone: seqlab slurm takes the options of seqlab fit; say --config FILE")


def _config_of(words: Sequence[str]) -> dict[str, Any]:
    """What the options of fit resolve to: what is wrong with them is told now, not by a job hours later.

    Raises:
        UserError: Something is wrong with them.
    """
    import yaml

    from experiments.runs.lightning_cli import main as lightning_main

    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.suppress(SystemExit):  # as --print_config leaves
        lightning_main(["fit", *words, "--print_config"])
    config: dict[str, Any] = yaml.safe_load(shown.getvalue())
    return config


def _parser() -> argparse.ArgumentParser:
    parser = ToolParser(
        prog="seqlab slurm",
        usage="seqlab slurm [options of the job] [options of seqlab fit]",
        description="Trains on a cluster: writes a script that runs seqlab fit as a SLURM job, and submits it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--nodes", type=positive, default=1, metavar="N", help="machines (default: 1)")
    devices = parser.add_mutually_exclusive_group()
    devices.add_argument("--gpus-per-node", type=positive, metavar="N", help="GPUs of each machine, one process each")
    devices.add_argument(
        "--tasks-per-node",
        type=positive,
        default=1,
        metavar="N",
        help="processes of each machine, on CPUs (default: 1)",
    )
    parser.add_argument(
        "--cpus-per-task", "--cpus", type=positive, default=1, metavar="N", help="cores of each process (default: 1)"
    )
    parser.add_argument("--time", metavar="LIMIT", help="time limit, as sbatch takes it: 04:00:00 (default: SLURM's)")
    parser.add_argument(
        "--notice",
        type=positive,
        default=180,
        metavar="SECONDS",
        help="before the time limit, at which a training is told to leave (default: 180)",
    )
    parser.add_argument(
        "--sbatch",
        action="append",
        default=[],
        metavar="OPTION",
        help="a further option of sbatch, as --sbatch=--partition=gpu; may be given several times",
    )
    parser.add_argument(
        "--setup",
        action="append",
        default=[],
        metavar="LINE",
        help="a line of shell to run first, as 'module load cuda'; may be given several times",
    )
    parser.add_argument("--dry-run", action="store_true", help="print the script, and submit nothing")
    return parser
