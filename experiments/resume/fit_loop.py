"""The Trainer's loop over epochs, which resumes from a checkpoint as if training had never been left."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loops import _FitLoop
from lightning.pytorch.loops.evaluation_loop import RestartStage
from lightning.pytorch.loops.utilities import _block_parallel_sync_behavior, _is_max_limit_reached
from lightning.pytorch.trainer import call
from torch import Tensor

from datamodules.plan import BatchPlan, PlannedLoader
from experiments.resume.positional_seeds import PositionalSeeds
from lightning_modules.training.trainer_parts import callbacks_of


class ExactFitLoop(_FitLoop):
    """Lightning's loop over epochs, exact also where a checkpoint was written before all was done that follows a batch.

    A checkpoint of ``every_n_train_steps`` or ``train_time_interval`` is written right after a batch. What comes then
    is the row of its metrics, the validation that is due after it, and the end of its epoch. A process that resumes
    from there does all of it, once. Lightning leaves out the row and the validation, and counts the steps of loggers
    wrongly in some cases. It also begins an epoch with its first batch, forgets the metrics that callbacks monitor, and
    the gradients of batches that were accumulated for a step that had not come: those are made again, from the same
    weights and the same random numbers.
    """

    def __init__(self, trainer: L.Trainer, min_epochs: int | None = 0, max_epochs: int | None = None) -> None:
        super().__init__(trainer, min_epochs, max_epochs)
        self._is_inside_epoch = False
        self._is_behind_batch = False
        self._row: dict[str, Tensor] = {}
        self._monitored: dict[str, Tensor] = {}

    def on_save_checkpoint(self) -> dict[str, Any]:
        """Adds the metrics that callbacks monitor, and the row of metrics that is not written yet."""
        state = super().on_save_checkpoint()
        connector = self.trainer._logger_connector
        state["monitored"], state["row"] = _kept(connector.callback_metrics), {}
        if is_behind_batch(self) and not self._should_accumulate() and connector.should_update_logs:
            state["row"] = _kept(connector.metrics["log"])
        return state

    def on_load_checkpoint(self, state_dict: dict[str, Any]) -> None:
        """Takes both; checkpoints that Lightning's own loop wrote have neither."""
        super().on_load_checkpoint(state_dict)
        self._row = state_dict.get("row", {})
        self._monitored = state_dict.get("monitored", {})

    def load_state_dict(self, state_dict: dict[str, Any], prefix: str = "") -> None:
        """Finds out in the midst of what the checkpoint was written."""
        super().load_state_dict(state_dict, prefix)
        epochs = self.epoch_progress.state_dict()["total"]
        self._is_inside_epoch = epochs["processed"] < epochs["started"]
        self._is_behind_batch = is_behind_batch(self)
        if self._is_behind_batch:
            self.epoch_loop.batch_progress.increment_completed()

    @property
    def done(self) -> bool:
        """Whether to leave the loop; the steps may all be done where the end of their epoch is not."""
        processed = self.epoch_progress.state_dict()["current"]["processed"]
        epochs_are_done = _is_max_limit_reached(processed, self.max_epochs or -1)
        return (epochs_are_done or not self._is_inside_epoch) and super().done

    def reset(self) -> None:
        """Says to Lightning's loops where they are."""
        super().reset()
        validation = self.epoch_loop.val_loop
        if self._is_inside_epoch:
            if self._is_behind_batch or validation.restarted_mid_evaluation:
                validation._restart_stage = RestartStage.RESTARTED_MID_EVALUATION
                validation.batch_progress.reset()  # a validation begins with its first batch
        elif not self.restarted_on_epoch_start:
            if self.restarted_on_epoch_end:
                self.epoch_progress.increment_completed()
            self.reset_restart_stage()
            self.epoch_loop.reset_restart_stage()
            for loop in (self, self.epoch_loop, validation):
                loop._restarting = False

    def on_run_start(self) -> None:
        """Gives callbacks what they monitor, and writes the row, after ``on_train_start``."""
        self.trainer._logger_connector._callback_metrics.update(self._monitored)
        super().on_run_start()
        self.trainer._logger_connector.log_metrics(self._row)
        if any(_has_decided(callback, self._monitored) for callback in self.trainer.early_stopping_callbacks):
            self.trainer.should_stop = True

    def advance(self) -> None:
        """Runs an epoch, or what is left of the one that the checkpoint was written in."""
        if not self._is_inside_epoch or self._go_on():
            super().advance()

    def on_iteration_done(self) -> None:
        """From here on an epoch is as any other."""
        super().on_iteration_done()
        self._is_inside_epoch = False

    def _go_on(self) -> bool:
        """Makes the loop over batches ready to resume in the midst of an epoch; False where nothing of it is left."""
        loop = self.epoch_loop
        assert self._data_fetcher is not None
        is_over, validates = loop._is_training_done, loop._should_check_val_fx(self._data_fetcher)
        seen, accumulated = loop.batch_progress.current.ready, 0
        loop._batches_that_stepped = loop.global_step
        if loop._should_accumulate():
            accumulated = seen % self.trainer.accumulate_grad_batches
        elif validates:
            loop._batches_that_stepped -= 1  # Lightning counts the step behind the validation
        if not is_over:
            self._skip(seen - accumulated)
            self._accumulate_again(range(seen - accumulated, seen))
        elif not validates:
            loop.restarting = False
            return False
        return True

    def _skip(self, batches: int) -> None:
        """Passes over the batches of this epoch that need not come again, where their order is known."""
        loader = self.trainer.train_dataloader
        if isinstance(plan := getattr(loader, "sampler", None), BatchPlan):
            plan.skip(batches)
        elif isinstance(loader, PlannedLoader):
            self._fetch(batches)

    def _accumulate_again(self, numbers: range) -> None:
        """Makes the gradients of the batches since the last optimizer step."""
        trainer, optimization = self.trainer, self.epoch_loop.automatic_optimization
        with _block_parallel_sync_behavior(trainer.strategy, block=True):
            for number, batch in zip(numbers, self._fetch(len(numbers)), strict=True):
                batch = trainer.precision_plugin.convert_input(batch)
                batch = trainer.lightning_module._on_before_batch_transfer(batch, dataloader_idx=0)
                batch = call._call_strategy_hook(trainer, "batch_to_device", batch, dataloader_idx=0)
                trainer._logger_connector.on_batch_start(batch)
                for callback in callbacks_of(trainer):
                    if isinstance(callback, PositionalSeeds):
                        callback.on_train_batch_start(trainer, trainer.lightning_module, batch, number)
                arguments = self.epoch_loop._build_kwargs(OrderedDict(), batch, number)
                optimization._make_closure(arguments, trainer.optimizers[0], number)()

    def _fetch(self, batches: int) -> list[Any]:
        """Takes batches from the loader, uncounted: the loop over batches counts all that were seen by itself."""
        fetcher = self._data_fetcher
        assert fetcher is not None
        fetched = [next(fetcher)[0] for _ in range(batches)]
        fetcher.fetched = 0
        return fetched


def go_on_exactly(trainer: L.Trainer) -> None:
    """Puts :class:`ExactFitLoop` in the place of a trainer's own loop, and what writes ``last.ckpt`` behind all others.

    What a callback does after that checkpoint was written, at the same point of training, would not come again.

    Args:
        trainer: Just made.
    """
    plain = trainer.fit_loop
    loop = ExactFitLoop(trainer, plain.min_epochs, plain.max_epochs)
    loop.epoch_loop = plain.epoch_loop
    trainer.fit_loop = loop
    callbacks = callbacks_of(trainer)
    callbacks.sort(key=lambda callback: isinstance(callback, ModelCheckpoint) and bool(callback.save_last))


def is_behind_batch(loop: _FitLoop) -> bool:
    """Whether a batch was trained, and what follows it is still to come: whether callbacks are told of its end."""
    batches = loop.epoch_loop.batch_progress.state_dict()["total"]
    return bool(batches["completed"] < batches["processed"])


def _kept(metrics: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in metrics.items()}


def _has_decided(callback: EarlyStopping, monitored: dict[str, Tensor]) -> bool:
    """Whether an early stopping had ended the training when the checkpoint was written."""
    value = monitored.get(callback.monitor)
    if value is None:
        return False
    reached, worst = callback.stopping_threshold, callback.divergence_threshold
    return bool(
        callback.wait_count >= max(1, callback.patience)
        or (reached is not None and callback.monitor_op(value, reached))
        or (worst is not None and callback.monitor_op(-value, -worst))
    )
