"""How long commands take, each as a process from its start."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from datamodules.errors import RunFailed
from experiments.benchmarks.first_step import TIME_FILE

STOP = "--trainer.callbacks+=experiments.benchmarks.first_step.FirstStep"
"""The option that ends a training after its first step."""

SEQLAB = (sys.executable, "-m", "experiments.cli")

BARE_LIGHTNING = (sys.executable, "-m", "experiments.benchmarks.bare_lightning")


def command_times(words: Sequence[str]) -> dict[str, float]:
    """Runs a command to its end.

    Args:
        words: The program and its arguments.

    Returns:
        ``seconds`` from its start to its end, and the ``processor_seconds`` that it and its children used.

    Raises:
        RunFailed: It failed.
    """
    before, start = _processor_seconds(), time.time()
    _run(words, {})
    return {"seconds": time.time() - start, "processor_seconds": _processor_seconds() - before}


def first_step_times(words: Sequence[str], variables: dict[str, str]) -> dict[str, float]:
    """Runs a training to the end of its first optimizer step; where it writes is removed afterwards.

    Args:
        words: The program and its arguments, which are those of LightningCLI.
        variables: Added to the environment.

    Returns:
        ``seconds`` from the start of the process to the end of the step, and the ``processor_seconds`` of the whole
        process, its end included.

    Raises:
        RunFailed: It failed, or made no step.
    """
    with TemporaryDirectory(prefix="seqlab-") as directory:
        told = Path(directory) / "first-step"
        root = f"--trainer.default_root_dir={Path(directory) / 'runs'}"
        before, start = _processor_seconds(), time.time()
        _run([*words, STOP, root], {TIME_FILE: str(told), **variables})
        if not told.is_file():
            raise RunFailed(f"{' '.join(words)}: made no optimizer step")
        return {
            "seconds": float(told.read_text()) - start,
            "processor_seconds": _processor_seconds() - before,
        }


def _run(words: Sequence[str], variables: dict[str, str]) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "SEQLAB_RUN_DIRECTORY"}
    done = subprocess.run(
        words,
        env={**environment, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        told = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise RunFailed(f"{' '.join(words)}: {told[-1] if told else f'ended with status {done.returncode}'}")


def _processor_seconds() -> float:
    """What all children that have ended used of the processor."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
