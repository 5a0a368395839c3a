"""Runs a command, and tells how long it took and how much memory it held at most.

A program of its own, of the standard library alone: on Linux a process counts as its own the memory of the one that
started it, so a small one has to stand between seqlab and what is measured. Its arguments are the file of the report,
and the command; its exit status is the command's.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path


def main(report: str, *command: str) -> int:
    """Runs and reports.

    Args:
        report: A file, which gets ``seconds`` and ``peak_memory_mib`` (of the largest process of the command) as JSON.
        *command: The command.

    Returns:
        Its exit status.
    """
    start = time.perf_counter()
    status = subprocess.call(command)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    kibibytes = peak / 1024 if sys.platform == "darwin" else peak
    Path(report).write_text(json.dumps({"seconds": seconds, "peak_memory_mib": kibibytes / 1024}))
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
