"""The last lines of a run: where everything is, and what to type next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lightning.pytorch.loggers import Logger

from experiments.runs.loggers import RunWandbLogger


def closing_lines(run: Path, best: Path | None, loggers: Sequence[Logger]) -> str:
    """What a run says when it ends.

    Args:
        run: The run's directory.
        best: Its best checkpoint, if it has one.
        loggers: Those of the run.
    """
    lines = ["", f"run              {_shown(run)}"]
    if best is not None:
        lines.append(f"best checkpoint  {_shown(best)}")
    figures = run / "figures"
    if figures.is_dir():
        lines.append(f"figures          {_shown(figures)} ({len(list(figures.glob('*.png')))} pictures)")
    for logger in loggers:
        if isinstance(logger, RunWandbLogger) and (command := logger.sync_command()):
            lines.append(f"W&B (offline)    upload it with: {command}")
    if best is not None:
        lines += ["", f"next: seqlab test --config {_shown(run / 'config.yaml')} --ckpt_path {_shown(best)}"]
        lines += [f"  or: seqlab translate --ckpt_path {_shown(best)}"]
    return "\n".join(lines)


def _shown(path: Path) -> Path:
    """A path as a person would type it."""
    try:
        return path.absolute().relative_to(Path.cwd())
    except ValueError:
        return path
