"""What a run says when a batch does not fit into the memory: how long its sequences are, and what bounds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from datamodules.batch import Batch, Padded
from datamodules.errors import RunFailed
from lightning_modules.locations import Split, place_of

if TYPE_CHECKING:
    import lightning as L

    from experiments.runs.callbacks.current_batch import Stage

_SPLITS: dict[Stage, Split] = {"train": "train", "val": "val", "test": "test", "predict": "test"}


def out_of_memory(error: BaseException, trainer: L.Trainer) -> RunFailed:
    """Words an error of no memory for the one who started the run.

    Args:
        error: For which :func:`is_out_of_memory` holds.
        trainer: With the :class:`CurrentBatch` of the run.
    """
    from experiments.runs.callbacks.current_batch import CurrentBatch  # translating has no callbacks

    at_work = next(callback for callback in trainer.callbacks if isinstance(callback, CurrentBatch))  # type: ignore[attr-defined]
    step, device = trainer.global_step, trainer.strategy.root_device
    batch, stage = at_work.batch, at_work.stage
    if not isinstance(batch, Batch):
        return RunFailed(f"{device} is out of memory at step {step} ({_first_line(error)}): {_remedy(trainer, stage)}")
    place = place_of(trainer, _SPLITS[stage], batch.index)
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
    data = trainer.datamodule  # type: ignore[attr-defined]
    names = ["max_length", "batch_size"] if stage == "train" else ["eval_batch_size", "batch_size"]
    given = {name: data.hparams[name] for name in names if data is not None and name in data.hparams}
    if stage != "train" and "eval_batch_size" in given:
        given.pop("batch_size", None)
    if not given:
        return "make its batches or its model smaller"
    return "lower " + " or ".join(f"data.init_args.{name}, which is {value}" for name, value in given.items())


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
