"""Which checkpoints a run keeps: of the best validation, of the last epochs, and their average."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any, Literal

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor

from datamodules.errors import UserError
from experiments.checkpoints.averaging import average_checkpoints, checkpoints_by_step
from experiments.checkpoints.checkpoint_io import save_checkpoint
from experiments.storage.layout import CHECKPOINTS

LOSS = "val/loss"
"""Decides where the monitored metric does not."""

LAST = "last"


class BestCheckpoint(ModelCheckpoint):
    """Keeps the weights of the best validation as ``checkpoints/best.ckpt``.

    Of equally good validations the latest counts. As long as the metric has been the same in all of them, be it that
    it cannot tell them apart, be it that the model is not good enough for it yet, be it that it is NaN, the lowest
    ``val/loss`` decides; where that is how the training ends, its last lines say so.

    The file has what measuring and translating need, and the weights to begin from with ``--init_from``. Training
    resumes from other checkpoints: the state of the optimizer, which is most of one, is not in this.

    Args:
        monitor: The metric, as a validation logs it.
        mode: Whether a lower ('min') or a higher ('max') value is better.
        dirpath: Where; ``checkpoints`` in the run's directory if not given.
        filename: Without ``.ckpt``.
    """

    def __init__(
        self,
        monitor: str = LOSS,
        mode: Literal["min", "max"] = "min",
        dirpath: str | None = None,
        filename: str = "best",
    ) -> None:
        super().__init__(
            dirpath=dirpath,
            filename=filename,
            monitor=monitor,
            mode=mode,
            save_weights_only=True,
            save_on_train_epoch_end=False,  # right after a validation: later its values may be of other weights
            enable_version_counter=False,
        )
        self._validations = 0
        self._lowest = math.inf
        self._highest = -math.inf
        self._best_loss = math.inf

    def check_monitor_top_k(self, trainer: L.Trainer, current: Tensor | None = None) -> bool:
        """Whether the validation that has just ended is the best so far."""
        if current is None:
            return False
        worst = -math.inf if self.mode == "max" else math.inf
        value = worst if torch.isnan(current) else float(current)  # as Lightning keeps what is no number
        self._validations += 1
        self._lowest, self._highest = min(self._lowest, value), max(self._highest, value)
        loss = float(trainer.callback_metrics.get(LOSS, torch.tensor(math.nan)))
        is_best = self._is_better(value, loss)
        if is_best and not math.isnan(loss):
            self._best_loss = loss
        return trainer.strategy.reduce_boolean_decision(is_best)

    def closing_remark(self) -> str | None:
        """What is said at the end where the metric has decided nothing: a line; None where it has."""
        if self._validations < 2 or self._has_moved or self.monitor == LOSS:
            return None
        decided = f"{LOSS} has chosen" if math.isfinite(self._best_loss) else "the last is kept as"
        seen = f"{self._lowest:.4g}" if math.isfinite(self._lowest) else "no finite number"
        advice = "; train longer, or monitor another metric" if self._lowest == 0 and self.mode == "max" else ""
        return (
            f"{self.monitor} was {seen} in each of {self._validations} validations: {decided} "
            f"{self.filename}.ckpt{advice}"
        )

    def state_dict(self) -> dict[str, Any]:
        """Lightning's, and what was seen of the metric."""
        seen = {"lowest": self._lowest, "highest": self._highest, "loss": self._best_loss, "count": self._validations}
        return {**super().state_dict(), "seen": seen}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes it over; a run in another directory begins with its own first validation, as Lightning has it."""
        super().load_state_dict(state_dict)
        seen = state_dict.get("seen")
        if seen is not None and self.best_k_models:
            self._lowest, self._highest = seen["lowest"], seen["highest"]
            self._best_loss, self._validations = seen["loss"], seen["count"]

    @property
    def _has_moved(self) -> bool:
        return self._lowest < self._highest

    def _is_better(self, value: float, loss: float) -> bool:
        if not self.best_k_models:
            return True
        best = float(self.best_k_models[self.kth_best_model_path])
        if value == best:
            undecided = not self._has_moved and self.monitor != LOSS
            return not undecided or not loss > self._best_loss
        return value > best if self.mode == "max" else value < best


class LastCheckpoints(ModelCheckpoint):
    """Keeps ``checkpoints/last.ckpt``, from which training is resumed, written after each validation.

    Every run that has a :class:`BestCheckpoint` has this too; a config names it to keep more.

    Args:
        keep: Number of epochs whose checkpoints are kept as well, as ``epoch-004.ckpt``, to be averaged.

    Raises:
        UserError: ``keep`` is negative.
    """

    def __init__(self, keep: int = 0) -> None:
        if keep < 0:
            raise UserError(f"keep is {keep}: give 0 or more")
        super().__init__(
            filename="epoch-{epoch:03d}" if keep else LAST,
            auto_insert_metric_name=False,
            monitor="epoch",
            mode="max",
            save_top_k=keep or 1,
            save_last=True if keep else None,
            enable_version_counter=False,
        )


class AverageAtEnd(L.Callback):
    """Averages the last checkpoints of the run into ``checkpoints/averaged.ckpt`` (Junczys-Dowmunt et al. 2016).

    Args:
        last: How many; the run has to keep at least as many, with ``save_top_k`` of a ModelCheckpoint. A run that wrote
            fewer averages those that it has.

    Raises:
        UserError: ``last`` is below 1.
    """

    def __init__(self, last: int = 5) -> None:
        if last < 1:
            raise UserError(f"last is {last}: average at least 1 checkpoint")
        self.last = last

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Averages, on rank zero; nothing where none was written."""
        folder = Path(trainer.default_root_dir) / CHECKPOINTS
        if not trainer.is_global_zero or not folder.is_dir():
            return
        # This process made them, with the classes that it has imported.
        trusted = sorted({name.partition(".")[0] for name in sys.modules})
        paths = checkpoints_by_step(folder, trusted)[-self.last :]
        target = folder / "averaged.ckpt"
        save_checkpoint(average_checkpoints(paths, trusted), target)
        rank_zero_info(f"{target}: the average of {', '.join(path.name for path in paths)}")
