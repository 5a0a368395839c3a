"""Numbers that Lightning takes, and fails with later, or trains with something else."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from datamodules.errors import UserError

PRECISIONS = ("32-true", "64-true", "bf16-true", "bf16-mixed", "16-mixed")
"""Those that train here, by Lightning's names."""

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


def check_precision(given: object) -> None:
    """Refuses to train in a precision that is not to be had, or in which no model learns.

    Args:
        given: ``--trainer.precision``.

    Raises:
        UserError: It is float16 for the weights too: what Adam adds to a denominator, 1e-8, is 0 in it. Or it needs a
            package that is not installed.
    """
    advice = f"give one of {', '.join(PRECISIONS)}"
    if given == "16-true":
        raise UserError(f"trainer.precision is {given}, in which weights become NaN at once: {advice}")
    if str(given).startswith("transformer-engine") and find_spec("transformer_engine") is None:
        raise UserError(f"trainer.precision is {given}, which needs the package transformer_engine: {advice}")
