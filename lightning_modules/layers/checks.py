"""Checks that the numbers that a config gives to a part are in range."""

from __future__ import annotations

from datamodules.errors import UserError


def check_sizes(part: object, **sizes: int | None) -> None:
    """Refuses a size or a number of layers below 1.

    Args:
        part: What takes the arguments; the message gives the name of its class.
        **sizes: The arguments by name; None for one that was not given.

    Raises:
        UserError: One is below 1.
    """
    for name, value in sizes.items():
        if value is not None and value < 1:
            raise UserError(f"{name} of {type(part).__name__} is {value}: give at least 1")


def check_shares(part: object, **shares: float) -> None:
    """Refuses a share, or a probability, that is outside [0, 1).

    Args:
        part: What takes the arguments; the message gives the name of its class.
        **shares: The arguments by name.

    Raises:
        UserError: One is below 0, at or above 1, or not a number.
    """
    for name, value in shares.items():
        if not 0 <= value < 1:
            raise UserError(f"{name} of {type(part).__name__} is {value}: give 0 or more, and less than 1")
