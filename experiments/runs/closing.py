"""The last lines of a run: where everything is, and what to type next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint

from experiments.callbacks.checkpoints import BestCheckpoint
from experiments.loggers import RunWandbLogger
from experiments.storage.layout import CHECKPOINTS, CONFIG, FIGURES, LAST_CHECKPOINT
from experiments.storage.shell import command, shown
from lightning_modules.birnn import BiRNNTextClassifier
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder
from lightning_modules.training.trainer_parts import callbacks_of

POSITIONS = ("epoch", "step")
"""What a callback monitors that keeps the latest checkpoints."""

TOOLS: dict[type[L.LightningModule], str] = {TokenEncoderDecoder: "translate", BiRNNTextClassifier: "classify"}
"""The commands that use a model's checkpoint alone."""


@runtime_checkable
class Remarking(Protocol):
    """A callback that may have something to say when a training ends."""

    def closing_remark(self) -> str | None:
        """A line; None where there is nothing to say."""


def closing_lines(run: Path, trainer: L.Trainer, model: L.LightningModule, to_trust: Sequence[str] = ()) -> str:
    """What a run says when it ends.

    Args:
        run: The run's directory.
        trainer: With the run's loggers and callbacks.
        model: What was trained.
        to_trust: Packages that a command has to trust which reads the checkpoint alone.
    """
    best, latest = best_checkpoint(trainer), latest_checkpoint(trainer)
    lines = ["", f"run              {shown(run)}"]
    last = run / CHECKPOINTS / LAST_CHECKPOINT
    checkpoint = best or (last if last.is_file() else latest)
    if checkpoint is not None:
        lines.append(f"{'best' if best else 'last'} checkpoint  {shown(checkpoint)}")
    averaged = run / CHECKPOINTS / "averaged.ckpt"
    if averaged.is_file():
        lines.append(f"averaged         {shown(averaged)}")
    figures = run / FIGURES
    if figures.is_dir():
        lines.append(f"figures          {shown(figures)} ({len(list(figures.glob('*.png')))} pictures)")
    callbacks = callbacks_of(trainer)
    remarks = [callback.closing_remark() for callback in callbacks if isinstance(callback, Remarking)]
    lines += [f"note             {remark}" for remark in remarks if remark]
    uploads = [logger.sync_command() for logger in trainer.loggers if isinstance(logger, RunWandbLogger)]
    lines += [f"W&B (offline)    upload it with: {upload}" for upload in uploads if upload]
    if checkpoint is not None:
        trained: list[str | Path] = ["--ckpt_path", checkpoint]
        of_run = ["--config", run / CONFIG, *trained]
        trust = [word for package in to_trust for word in ("--trust", package)]
        tool = next((name for kind, name in TOOLS.items() if isinstance(model, kind)), None)
        use = ["predict", *of_run] if tool is None else [tool, *trained, *trust]
        lines += ["", f"next: {command('seqlab', 'test', *of_run)}", f"  or: {command('seqlab', *use)}"]
    return "\n".join(lines)


def best_checkpoint(trainer: L.Trainer) -> Path | None:
    """The best checkpoint of a run; None where no metric has chosen one, as in a run that never validated."""
    written = [each for each in trainer.checkpoint_callbacks if isinstance(each, ModelCheckpoint)]
    written = [each for each in written if each.monitor not in (None, *POSITIONS)]
    paths = [each.best_model_path for each in sorted(written, key=lambda each: not isinstance(each, BestCheckpoint))]
    return next((Path(path) for path in paths if path), None)


def latest_checkpoint(trainer: L.Trainer) -> Path | None:
    """A checkpoint that is kept for its place in the training; None where there is none."""
    written = [each for each in trainer.checkpoint_callbacks if isinstance(each, ModelCheckpoint)]
    return next((Path(each.best_model_path) for each in written if each.best_model_path), None)
