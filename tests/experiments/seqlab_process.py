"""``seqlab`` as a user starts it, and the same without its imports."""

import os
import subprocess
import sys
from pathlib import Path
from signal import SIGKILL, Signals
from tempfile import TemporaryDirectory

from experiments.processes.seqlab_process import start_seqlab


def typed_seqlab(*arguments: object, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """Runs ``seqlab`` as a shell does: Python starts, and imports."""
    return subprocess.run(
        [sys.executable, "-m", "experiments.cli", *map(str, arguments)],
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )


def seqlab(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs ``seqlab`` in a process of its own that has imported everything: see :class:`ForkedSeqlab`."""
    process = ForkedSeqlab(*arguments)
    output, error = process.communicate()
    assert process.returncode is not None
    return subprocess.CompletedProcess(["seqlab", *map(str, arguments)], process.returncode, output, error)


class ForkedSeqlab:
    """``seqlab`` in a process and a session of its own, forked from one that has imported everything.

    It is what :class:`subprocess.Popen` of the command is, but for the seconds that the imports take.

    Args:
        arguments: What is typed after ``seqlab``.
    """

    def __init__(self, *arguments: object) -> None:
        self._folder = TemporaryDirectory(prefix="seqlab-")
        self._output, self._error = (Path(self._folder.name) / name for name in ("output", "error"))
        self._process = start_seqlab(list(map(str, arguments)), self._output, os.environ, None, self._error)
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit status, the negative number of a signal that ended it; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """See :attr:`returncode`."""
        return self.returncode

    def send_signal(self, number: Signals) -> None:
        """Sends a signal to it alone."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """Kills it, and all that it has started, if it still runs."""
        if self.returncode is None:
            os.killpg(self.pid, SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Waits for its end.

        Args:
            timeout: Seconds.

        Returns:
            What it printed, and what it told on standard error.

        Raises:
            TimeoutError: It still runs.
        """
        self._process.join(timeout)
        if self.returncode is None:
            raise TimeoutError(f"it still runs after {timeout} seconds")
        return self._output.read_text(encoding="utf-8"), self._error.read_text(encoding="utf-8")
