"""The checkpoint of the best validation of a run."""

from __future__ import annotations

import math
from typing import Any, Literal

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

LOSS = "val/loss"
"""Decides where the monitored metric does not."""


class BestCheckpoint(ModelCheckpoint):
    """Keeps the weights of the best validation as ``checkpoints/best.ckpt``.

    Of equally good validations the latest counts. As long as the metric has been the same in all of them, be it that
    it cannot tell them apart, be it that the model is not good enough for it yet, the lowest ``val/loss`` decides;
    where that is how the training ends, its last lines say so.

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
        value = float(current)
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
        advice = "; train longer, or monitor another metric" if self._lowest == 0 and self.mode == "max" else ""
        return (
            f"{self.monitor} was {self._lowest:.4g} in each of {self._validations} validations: {decided} "
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
