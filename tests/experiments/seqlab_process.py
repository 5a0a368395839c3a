"""``seqlab`` as a user starts it."""

import os
import subprocess
import sys


def seqlab(*arguments: object, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """Runs ``seqlab`` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "experiments.cli", *map(str, arguments)],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "WANDB_MODE": "offline"},
    )
