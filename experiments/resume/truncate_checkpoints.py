"""The checkpoints of a resumed run continue where the one was written that it resumes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint

from datamodules.errors import UserError
from experiments.checkpoints.reading import load_archive
from experiments.resume.fit_loop import is_behind_batch
from experiments.resume.handover import HANDED_OVER
from experiments.storage.layout import CHECKPOINTS, LAST_CHECKPOINT

_STATES = "checkpoint_callbacks"
"""Where in a checkpoint the rest of the state of its ModelCheckpoints is."""


class TruncateCheckpoints(L.Callback):
    """Lets every ModelCheckpoint resume as it was, which is more than Lightning keeps of it.

    What it saved last is known again, and that a save waits for the next validation. Where training resumes from
    ``last.ckpt``, the checkpoints beside it that a killed process wrote after it are removed: they are made again, and
    nothing would ever remove the old ones. So a run has one ``last.ckpt``, and keeps as many others as the config says.

    Args:
        is_named: Whether the user named the checkpoint that training resumes from: Lightning keeps such a one for good.
    """

    def __init__(self, is_named: bool = True) -> None:
        self._is_named = is_named
        self._states: dict[str, dict[str, Any]] = {}
        self._was_handed_over = False

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Adds the states."""
        waiting_is_kept = is_behind_batch(trainer.fit_loop) or HANDED_OVER in checkpoint
        checkpoint[_STATES] = {
            callback.state_key: {
                "step": callback._last_global_step_saved,
                "path": callback._last_checkpoint_saved,
                # At the end of a validation, whoever waited for it saves: this one is written last.
                "waits": callback._defer_save_until_validation and waiting_is_kept,
            }
            for callback in _model_checkpoints(trainer)
        }

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Takes the states."""
        self._states = checkpoint.get(_STATES, {})
        self._was_handed_over = HANDED_OVER in checkpoint

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Gives the states back, and removes what came after the checkpoint, on rank zero."""
        resumed = Path(trainer.ckpt_path).resolve() if trainer.ckpt_path else None
        known = {resumed}
        for callback in _model_checkpoints(trainer):
            written = {Path(path).resolve() for path in _paths(callback)}
            known |= written
            state = self._states.get(callback.state_key)
            if state is not None:
                callback._last_global_step_saved = state["step"]
                callback._last_checkpoint_saved = state["path"]
                callback._defer_save_until_validation = state["waits"]
            if resumed in written and not self._was_handed_over:  # the state is from just before it was written
                callback._last_global_step_saved = trainer.global_step
                callback._last_checkpoint_saved = str(resumed)
            if callback.save_last and callback.dirpath and not callback.last_model_path:
                # Without this, a last.ckpt that is there already would stay, and last-v1.ckpt be written beside it.
                callback.last_model_path = callback.format_checkpoint_name({}, callback.CHECKPOINT_NAME_LAST)
        own = Path(trainer.default_root_dir, CHECKPOINTS, LAST_CHECKPOINT).resolve()
        if resumed == own and trainer.is_global_zero:
            for path in set(own.parent.glob("*.ckpt")) - known:
                if _step(path) > trainer.global_step:
                    path.unlink()
        if not self._is_named:
            trainer.ckpt_path = None


def _model_checkpoints(trainer: L.Trainer) -> list[ModelCheckpoint]:
    return [callback for callback in trainer.checkpoint_callbacks if isinstance(callback, ModelCheckpoint)]


def _step(path: Path) -> int:
    """The optimizer steps that a checkpoint was written after; 0 where it cannot be read."""
    try:
        step: int = load_archive(path).get("global_step", 0)
    except UserError:
        return 0
    return step


def _paths(callback: ModelCheckpoint) -> list[str]:
    """What a callback has written, as far as it knows."""
    paths = [*callback.best_k_models, callback.best_model_path, callback.last_model_path]
    return [path for path in paths if path]
