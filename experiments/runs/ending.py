"""What ends a run before its time, told in the words of one who wants to resume."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lightning as L
from lightning.pytorch.trainer.states import TrainerStatus

from datamodules.errors import RunFailed
from experiments.loggers import RunWandbLogger
from experiments.processes.lost_processes import lost_processes
from experiments.processes.memory_errors import is_out_of_memory
from experiments.processes.other_processes import end_with_this_one
from experiments.resume.handover import HandedOver, is_preempted, requeue
from experiments.resume.signals import SchedulerRequest, in_job
from experiments.runs.out_of_memory import out_of_memory
from experiments.storage.shell import quoted, shown


@contextmanager
def ending(trainer: L.Trainer, last: Path, parent: int, tries: bool) -> Iterator[None]:
    """Within it a subcommand runs; what ends it leaves as one of the project's errors, where it has a known cause.

    Args:
        trainer: Runs.
        last: The checkpoint to resume from, whether it is there yet or not.
        parent: The process that started this one.
        tries: Whether the run is a trial, of which nothing is kept.

    Raises:
        KeyboardInterrupt: The run was interrupted, also where Lightning made an exit of it, or has to leave its
            machine.
        RunFailed: Memory ran out, or another process of the run was lost.
    """
    try:
        yield
    except HandedOver as left:
        if trainer.is_global_zero:
            _hand_over(trainer, left.request, last, tries)
    except SystemExit:
        if trainer.state.status != TrainerStatus.INTERRUPTED:
            raise
        kept = last.is_file() and not tries
        raise KeyboardInterrupt(f"resume with --ckpt_path {quoted(last)}" if kept else "") from None
    except Exception as error:
        if is_out_of_memory(error):
            end_with_this_one(trainer)
            raise out_of_memory(error, trainer) from error
        may_be_lost = isinstance(error, RuntimeError) and trainer.world_size > 1
        lost = lost_processes(trainer, parent) if may_be_lost else None
        end_with_this_one(trainer)
        if lost is None:
            raise
        raise RunFailed(f"{lost}, and with it this training; resume with --ckpt_path last") from error


def _hand_over(trainer: L.Trainer, request: SchedulerRequest, last: Path, tries: bool) -> None:
    """Ends a training that has left: what is written is complete before the next one resumes."""
    for logger in trainer.loggers:
        if isinstance(logger, RunWandbLogger):
            logger.finish()
    if request is SchedulerRequest.LEAVE and not (in_job() and is_preempted()):
        raise KeyboardInterrupt("" if tries else f"resume with --ckpt_path {quoted(last)}")
    requeue()
    print(f"\nrequeued         resumes from {shown(last)}")
