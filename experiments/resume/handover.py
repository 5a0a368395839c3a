"""A training that has to leave, and resumes later or elsewhere as if nothing had been."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import lightning as L
import torch

from datamodules.batch import Batch
from datamodules.errors import RunFailed
from experiments.resume.signals import (
    SchedulerRequest,
    in_job,
    listen_in_training,
    listen_no_more,
    listen_to_keyboard,
    requested,
    unheard_keyboard,
)

HANDED_OVER = "handed_over"
"""A key of checkpoints that were written here, between two batches, and by no ModelCheckpoint."""


class HandedOver(Exception):
    """A training left, as it was asked to; every process of it raises this before the same batch.

    Attributes:
        request: The greatest of the requests of all processes.
    """

    def __init__(self, request: SchedulerRequest) -> None:
        super().__init__(f"training left before its end ({request.name.lower()})")
        self.request = request


class Handover(L.Callback):
    """Writes a checkpoint between two batches, and ends the training there, when a scheduler asks for it, or Ctrl-C.

    Lightning's own way saves where the signal strikes, in the middle of a batch, and one process may then wait for
    another forever (its issue 21406). Here all processes agree before each optimizer step, which costs one number sent
    around, where there are several. A validation under way ends first: a scheduler's notice has to be longer than that
    takes. A job whose time is over goes back into the queue after at least one step: told so as it starts, it would
    start forever. A second Ctrl-C does not wait, and ends at once, with the checkpoints that there are.

    Args:
        checkpoint: Where it is written.
    """

    def __init__(self, checkpoint: Path) -> None:
        self._checkpoint = checkpoint
        self._leaves = False
        self._first_step = 0

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Listens before a loader starts its processes, which shall not end with Ctrl-C."""
        listen_to_keyboard()

    def on_sanity_check_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """In a job, puts our handler of SIGTERM into the place of Lightning's, which waits for other processes."""
        if in_job():
            listen_in_training()

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """The same from here on, wherever it trains."""
        listen_in_training()
        self._first_step = trainer.global_step

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """There is nothing to leave any more."""
        listen_no_more()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """The same."""
        listen_no_more()

    def on_train_batch_start(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        """Leaves before a batch, unless gradients of earlier ones wait for it.

        Raises:
            HandedOver: A process was asked to leave.
        """
        if batch_idx % trainer.accumulate_grad_batches:
            return
        common = requested()
        if trainer.world_size > 1:
            own = torch.tensor(int(common), device=trainer.strategy.root_device)
            common = SchedulerRequest(int(trainer.strategy.reduce(own, reduce_op="max")))
        is_of_no_use = common is SchedulerRequest.REQUEUE and trainer.global_step == self._first_step
        if common is SchedulerRequest.NOTHING or is_of_no_use:
            return
        self._leaves = True
        with unheard_keyboard():
            trainer.save_checkpoint(self._checkpoint, weights_only=False)
        raise HandedOver(common)

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Counts the batch that was loaded and not trained as one that is still to come."""
        if not self._leaves:
            return
        checkpoint[HANDED_OVER] = True
        progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        for counted in ("total", "current"):
            progress[counted]["ready"] -= 1
        progress["is_last_batch"] = False


def is_preempted() -> bool:
    """Whether SLURM takes the machine from this process's job, which is not cancelled.

    Such a job is put into the queue again when its time of grace is over, but not if it has ended before.
    """
    try:
        shown = _scontrol("show", "job", "--oneliner", os.environ["SLURM_JOB_ID"])
    except RunFailed:
        return False
    fields = dict(field.partition("=")[::2] for field in shown.split())
    return fields.get("JobState") == "RUNNING" and fields.get("PreemptTime", "None") not in ("None", "Unknown")


def requeue() -> None:
    """Puts this process's job into the queue again; SLURM then ends what is left of it.

    Raises:
        RunFailed: SLURM refuses.
    """
    job = os.environ["SLURM_JOB_ID"]
    if array := os.environ.get("SLURM_ARRAY_JOB_ID"):
        # The id of an array's last task is that of the whole array, and the others would be requeued with it.
        job = f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    try:
        _scontrol("requeue", job)
    except RunFailed as failed:
        raise RunFailed(f"job {job} is not put into the queue again: {failed}") from failed


def _scontrol(*words: str) -> str:
    try:
        done = subprocess.run(["scontrol", *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise RunFailed("there is no scontrol on this machine") from None
    if done.returncode:
        raise RunFailed(" ".join(done.stderr.split()))
    return done.stdout
