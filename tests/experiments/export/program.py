"""The program of ``docs/howto/export.md``, run as whoever exported a model runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.docs.pages import DOCS

PROGRAM = DOCS / "howto" / "translate_onnx.py"


def written_by_the_program(folder: Path, line: str) -> str:
    """What it writes for a line, in a folder that does not have seqlab.

    Args:
        folder: From ``seqlab export``.
        line: The line.
    """
    command = [sys.executable, str(PROGRAM), str(folder), line]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
    return ran.stdout.removesuffix("\n")
