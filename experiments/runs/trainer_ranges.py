"""Numbers that Lightning takes, and fails with later, or trains with something else."""

from __future__ import annotations

from collections.abc import Mapping

from datamodules.errors import UserError

LEAST = {
    "accumulate_grad_batches": 1,
    "check_val_every_n_epoch": 1,
    "gradient_clip_val": 0,
    "log_every_n_steps": 0,
    "max_steps": -1,
}
"""The smallest number that an option can mean."""


def check_trainer_ranges(trainer: Mapping[str, object]) -> None:
    """Refuses a number that no training can have.

    Args:
        trainer: The trainer's options, as parsed.

    Raises:
        UserError: Names the option.
    """
    for name, least in LEAST.items():
        value = trainer.get(name)
        if isinstance(value, int | float) and value < least:
            raise UserError(f"trainer.{name} is {value}: give {least} or more")


LARGEST_SEED = 2**32 - 1
"""The largest that numpy takes."""


def check_seed(seed: object) -> None:
    """Refuses a seed that numpy does not take.

    Args:
        seed: ``--seed_everything``; true is a random one.

    Raises:
        UserError: It is out of bounds.
    """
    if isinstance(seed, int) and not 0 <= seed <= LARGEST_SEED:
        raise UserError(f"seed_everything is {seed}: give 0 to {LARGEST_SEED}")
