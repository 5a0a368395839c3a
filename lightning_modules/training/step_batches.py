"""Which batches an optimizer step is made of, so that a step that fails can say which of them spoilt it."""

from __future__ import annotations

import torch
from torch import Tensor


class StepBatches:
    """The batches of the present optimizer step on this process, with their losses.

    Nothing is read from the device before :meth:`suspects` is asked for.

    Attributes:
        tokens: How many tokens they have together.
    """

    def __init__(self) -> None:
        self.tokens = 0
        self._losses: list[Tensor] = []
        self._indices: list[Tensor] = []

    def add(self, loss: Tensor, tokens: int, index: Tensor) -> None:
        """Adds a batch.

        Args:
            loss: Scalar.
            tokens: How many it is the sum over.
            index: ``(batch,)``, the position of each example in its corpus.
        """
        self.tokens += tokens
        self._losses.append(loss.detach())
        self._indices.append(index)

    def clear(self) -> None:
        """Forgets all: the next step begins."""
        self.tokens = 0
        self._losses.clear()
        self._indices.clear()

    def suspects(self) -> tuple[bool, Tensor]:
        """What may have spoilt the step.

        Returns:
            Whether there are batches whose loss is NaN or infinite; and ``(examples,)``, the positions of the examples
            in those batches, of all batches where there is none such.
        """
        spoilt = [not bool(loss.isfinite()) for loss in self._losses]
        chosen = [index for index, bad in zip(self._indices, spoilt, strict=True) if bad or not any(spoilt)]
        return any(spoilt), torch.cat(chosen) if chosen else torch.zeros(0, dtype=torch.long)
