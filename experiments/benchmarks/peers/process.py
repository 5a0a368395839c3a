"""A toolkit's command as a process that is measured."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from datamodules.errors import RunFailed
from experiments.benchmarks.peers import measured
from experiments.benchmarks.peers.hardware import Hardware


@dataclass(frozen=True)
class Command:
    """What is typed.

    Attributes:
        words: The program and its arguments.
        directory: Where it runs.
        hardware: What it runs on.
        variables: Added to the environment.
        input: A file that it reads as standard input; None gives it nothing.
    """

    words: Sequence[str]
    directory: Path
    hardware: Hardware
    variables: Mapping[str, str] = field(default_factory=dict)
    input: Path | None = None


@dataclass(frozen=True)
class Finished:
    """What a command left.

    Attributes:
        seconds: From its start to its end.
        peak_memory_mib: Peak memory of its largest process in MiB.
        output: What it printed.
        log: What it wrote to standard error.
    """

    seconds: float
    peak_memory_mib: float
    output: str
    log: str


def run(command: Command, name: str) -> Finished:
    """Runs a command and waits for it.

    Args:
        command: The command; ``NAME.out`` and ``NAME.log`` in its directory get what it prints.
        name: What it does, as a file's name: ``train``.

    Returns:
        What it left.

    Raises:
        RunFailed: It could not be started, or failed.
    """
    output, log = command.directory / f"{name}.out", command.directory / f"{name}.log"
    report = command.directory / f"{name}.json"
    words = [sys.executable, "-I", str(measured.__file__), str(report), *command.words]
    with output.open("wb") as to, log.open("wb") as errors, (command.input or Path(os.devnull)).open("rb") as given:
        process = subprocess.Popen(
            words,
            cwd=command.directory,
            env=_environment(command),
            stdin=given,
            stdout=to,
            stderr=errors,
            start_new_session=True,
        )
        try:
            status = process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
    texts = [path.read_text(errors="replace") for path in (output, log)]
    if status:
        raise RunFailed(f"{' '.join(command.words)}: failed: {_last_line(texts)}; all of it is in {log}")
    return Finished(**json.loads(report.read_text()), output=texts[0], log=texts[1])


def _environment(command: Command) -> dict[str, str]:
    """The variables of the process: none that could bring seqlab's packages into the toolkit."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return {**kept, **command.hardware.variables(), "PYTHONUTF8": "1", **command.variables}


def _last_line(texts: Sequence[str]) -> str:
    lines = [line.strip() for text in texts for line in text.split("\n") if line.strip()]
    return lines[-1] if lines else "it says nothing"
