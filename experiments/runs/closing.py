"""The last lines of a run: where everything is, and what to type next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import lightning as L
from lightning.pytorch.loggers import Logger

from experiments.runs.directory import CHECKPOINTS
from experiments.runs.loggers import RunWandbLogger
from experiments.runs.shell import command, shown
from lightning_modules.encoder_decoder import EncoderDecoder


def closing_lines(run: Path, best: Path | None, loggers: Sequence[Logger], model: L.LightningModule) -> str:
    """What a run says when it ends.

    Args:
        run: The run's directory.
        best: Its best checkpoint, if it has one; a run that never validated has a last one alone.
        loggers: Those of the run.
        model: What was trained.
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
    uploads = [logger.sync_command() for logger in loggers if isinstance(logger, RunWandbLogger)]
    lines += [f"W&B (offline)    upload it with: {upload}" for upload in uploads if upload]
    if checkpoint is not None:
        trained: list[str | Path] = ["--ckpt_path", checkpoint]
        of_run = ["--config", run / "config.yaml", *trained]
        use = ["translate", *trained] if isinstance(model, EncoderDecoder) else ["predict", *of_run]
        lines += ["", f"next: {command('seqlab', 'test', *of_run)}", f"  or: {command('seqlab', *use)}"]
    return "\n".join(lines)
