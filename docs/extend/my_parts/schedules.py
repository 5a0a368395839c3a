"""A forcing schedule of my own."""

from datamodules.errors import UserError
from lightning_modules.forcing import ForcingSchedule


class Stairs(ForcingSchedule):
    """Gold alone at first, then less of it in equal stairs, one after each so many epochs.

    Args:
        epochs: Epochs on a stair.
        drop: By how much each is lower.

    Raises:
        UserError: A stair lasts no time.
    """

    def __init__(self, epochs: int = 1, drop: float = 0.25) -> None:
        if epochs < 1:
            raise UserError(f"epochs is {epochs}: give at least 1")
        self.epochs = epochs
        self.drop = drop

    def ratio(self, step: int, steps_per_epoch: int) -> float:
        """The share of gold tokens, a function of the step alone, so that a resumed run has the same."""
        return max(0.0, 1.0 - self.drop * (step // (self.epochs * steps_per_epoch)))
