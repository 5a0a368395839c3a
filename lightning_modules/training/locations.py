"""Words for where the examples of a batch come from, for messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from torch import Tensor

from datamodules.batch import Split
from datamodules.errors import listed_numbers
from lightning_modules.training.trainer_parts import data_of

if TYPE_CHECKING:
    import lightning as L


@runtime_checkable
class LocatedData(Protocol):
    """A data module that knows where its examples stand."""

    def place(self, split: Split, index: Sequence[int]) -> str:
        """Words where examples stand, for example ``"lines 3, 8 of train.en and train.de"``.

        Args:
            split: Split that the examples belong to.
            index: Index of each example, as batches have it.
        """


def place_of(trainer: L.Trainer, split: Split, index: Tensor) -> str:
    """Words where the examples of a batch come from.

    Args:
        trainer: Has the data module.
        split: Split that the batch belongs to.
        index: ``(batch,)``, int64, the index of each example, as the batch has it.
    """
    positions = index.tolist()
    data = data_of(trainer)
    if isinstance(data, LocatedData):
        return data.place(split, positions)
    return f"examples {listed_numbers(position + 1 for position in positions)} of the {split} data"
