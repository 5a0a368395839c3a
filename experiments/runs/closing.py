"""The last lines of a run: where everything is, and what to type next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import lightning as L
from lightning.pytorch.loggers import Logger

from experiments.runs.directory import CHECKPOINTS
from experiments.runs.loggers import RunWandbLogger
from lightning_modules.encoder_decoder import EncoderDecoder


def closing_lines(
    run: Path, best: Path | None, loggers: Sequence[Logger], model: L.LightningModule, to_trust: Sequence[str] = ()
) -> str:
    """What a run says when it ends.

    Args:
        run: The run's directory.
        best: Its best checkpoint, if it has one; a run that never validated has a last one alone.
        loggers: Those of the run.
        model: What was trained.
        to_trust: Packages that a command has to trust which reads the checkpoint alone.
    """
    lines = ["", f"run              {shown(run)}"]
    last = run / CHECKPOINTS / "last.ckpt"
    checkpoint = best or (last if last.is_file() else None)
    if checkpoint is not None:
        lines.append(f"{'best' if best else 'last'} checkpoint  {shown(checkpoint)}")
    averaged = run / CHECKPOINTS / "averaged.ckpt"
    if averaged.is_file():
        lines.append(f"averaged         {shown(averaged)}")
    figures = run / "figures"
    if figures.is_dir():
        lines.append(f"figures          {shown(figures)} ({len(list(figures.glob('*.png')))} pictures)")
    commands = [logger.sync_command() for logger in loggers if isinstance(logger, RunWandbLogger)]
    lines += [f"W&B (offline)    upload it with: {command}" for command in commands if command]
    if checkpoint is not None:
        of_run = f"--config {shown(run / 'config.yaml')} --ckpt_path {shown(checkpoint)}"
        lines += ["", f"next: seqlab test {of_run}"]
        translate = f"translate --ckpt_path {shown(checkpoint)}{''.join(f' --trust {each}' for each in to_trust)}"
        lines += [f"  or: seqlab {translate if isinstance(model, EncoderDecoder) else f'predict {of_run}'}"]
    return "\n".join(lines)


def shown(path: Path) -> Path:
    """A path as a person would type it."""
    try:
        return path.absolute().relative_to(Path.cwd())
    except ValueError:
        return path
