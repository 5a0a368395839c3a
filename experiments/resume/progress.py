"""How far a training had come when it wrote a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def training_progress(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """The state of the Trainer's fit loop as it was in training, for an evaluation of the checkpoint.

    A Trainer that only evaluates counts from 0. With this state, what it logs stands at the epoch and at the step of
    the checkpoint: its last update, counted from 0, where training logged its own validation of the same weights. The
    loop's own count for loggers is that number or one more, as the checkpoint was written before or after the update
    was counted.

    Args:
        checkpoint: As loaded; one without the state of loops gives the step alone.

    Returns:
        What ``trainer.fit_loop.load_state_dict`` takes.
    """
    last_update = max(0, checkpoint.get("global_step", 0) - 1)
    fit_loop = checkpoint.get("loops", {}).get("fit_loop", {})
    return {**fit_loop, "epoch_loop.state_dict": {"_batches_that_stepped": last_update}}
