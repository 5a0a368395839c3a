"""What a run says when a batch does not fit into the memory: how long its sequences are, and what bounds them."""

from __future__ import annotations

from typing import Any, Literal

import lightning as L

from datamodules.batch import Batch, Padded, Split
from datamodules.errors import RunFailed
from experiments.callbacks.text import predicted_split
from lightning_modules.training.locations import place_of
from lightning_modules.training.trainer_parts import callbacks_of, data_of

Stage = Literal["train", "val", "test", "predict"]

_SPLITS: dict[Stage, Split] = {"train": "train", "val": "val", "test": "test"}


class CurrentBatch(L.Callback):
    """Keeps the batch that is at work.

    Attributes:
        batch: The batch, on its device; None before the first.
        stage: What is done with it.
    """

    def __init__(self) -> None:
        self.batch: Any = None
        self.stage: Stage = "train"

    def on_train_batch_start(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        batch: Any,  # noqa: ANN401 - every data module has its own batches
        batch_idx: int,
    ) -> None:
        """Keeps the training batch that starts."""
        self.batch, self.stage = batch, "train"

    def on_validation_batch_start(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        batch: Any,  # noqa: ANN401 - as above
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keeps the validation batch that starts."""
        self.batch, self.stage = batch, "val"

    def on_test_batch_start(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        batch: Any,  # noqa: ANN401 - as above
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keeps the test batch that starts."""
        self.batch, self.stage = batch, "test"

    def on_predict_batch_start(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        batch: Any,  # noqa: ANN401 - as above
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keeps the prediction batch that starts."""
        self.batch, self.stage = batch, "predict"


def out_of_memory(error: BaseException, trainer: L.Trainer) -> RunFailed:
    """Words an error of no memory for the one who started the run.

    Args:
        error: For which :func:`is_out_of_memory` holds.
        trainer: With the :class:`CurrentBatch` of the run.
    """
    at_work = next(callback for callback in callbacks_of(trainer) if isinstance(callback, CurrentBatch))
    step, device = trainer.global_step, trainer.strategy.root_device
    batch, stage = at_work.batch, at_work.stage
    if not isinstance(batch, Batch):
        return RunFailed(f"{device} is out of memory at step {step} ({_first_line(error)}): {_remedy(trainer, stage)}")
    place = place_of(trainer, _SPLITS.get(stage) or predicted_split(trainer), batch.index)
    return RunFailed(
        f"{device} is out of memory at step {step}, in a {stage} batch of {lengths(batch)} ({place}): "
        f"{_remedy(trainer, stage)}"
    )


def lengths(batch: Batch) -> str:
    """Words how large a batch is: ``"64 sequences, the longest source of 90, the longest target of 120 positions"``."""
    both = {"source": batch.source, "target": getattr(batch, "target", None)}
    sides = [(name, padded) for name, padded in both.items() if isinstance(padded, Padded)]
    longest = ", ".join(f"the longest {name} of {int(padded.lengths.max()):,}" for name, padded in sides if len(padded))
    return f"{len(batch):,} sequences, {longest} positions"


def _remedy(trainer: L.Trainer, stage: Stage) -> str:
    """Which options bound a batch, with their values."""
    data = data_of(trainer)
    names = ["max_length", "batch_size"] if stage == "train" else ["eval_batch_size", "batch_size"]
    given = {name: data.hparams[name] for name in names if data is not None and name in data.hparams}
    if stage != "train" and "eval_batch_size" in given:
        given.pop("batch_size", None)
    if not given:
        return "make its batches or its model smaller"
    return "lower " + " or ".join(f"data.init_args.{name}, which is {value}" for name, value in given.items())


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
