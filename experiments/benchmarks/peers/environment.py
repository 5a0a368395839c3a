"""A virtual environment for each toolkit: their requirements contradict each other, and seqlab's."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from datamodules.errors import RunFailed

MARKER = "finished.txt"
"""Written into a virtual environment when all is installed; holds the installations."""


class Environment:
    """A virtual environment, made of the Python that runs seqlab.

    Args:
        directory: Where it is, or will be.
        installations: What follows ``pip install``, one after the other.
    """

    def __init__(self, directory: Path, installations: Sequence[Sequence[str]]) -> None:
        self._directory = directory
        self._installations = installations

    def program(self, name: str) -> str:
        """The path of a program that is installed in it.

        Args:
            name: ``python``, for example.
        """
        return str(self._directory.absolute() / "bin" / name)

    def make(self) -> None:
        """Makes it and installs, unless that was done before; tells on standard error what it does.

        One that was left unfinished, or that had other installations, is made anew.

        Raises:
            RunFailed: pip could not install.
        """
        marker = self._directory / MARKER
        told = "".join(f"pip install {' '.join(each)}\n" for each in self._installations)
        if marker.exists() and marker.read_text() == told:
            return
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory.parent.mkdir(parents=True, exist_ok=True)
        self._run("a new virtual environment", [sys.executable, "-m", "venv", str(self._directory)])
        for each in self._installations:
            self._run(f"pip install {' '.join(each)}", [self.program("python"), "-m", "pip", "install", "-q", *each])
        marker.write_text(told)

    def _run(self, told: str, command: Sequence[str]) -> None:
        """Runs one step."""
        print(f"{self._directory}: {told}", file=sys.stderr, flush=True)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = (done.stdout + done.stderr).split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), "it says nothing")
            raise RunFailed(f"{told}: failed in {self._directory}: {last}")
