"""A model that may not attend to some of what it has read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from datamodules.batch import Padded
from datamodules.errors import UserError
from lightning_modules.decoding.prefixes import Integers
from lightning_modules.decoding.search import Steppable
from lightning_modules.layers.state import DecoderState, Memory


class HiddenSource:
    """A model whose decoder does not see some source positions; the encoder has read them like the others.

    Args:
        model: Any model whose memory has a mask.
        positions: Positions of the source, of each sentence of a batch alike.

    Raises:
        UserError: Nothing would be left to attend to; raised by :meth:`encode`.
    """

    def __init__(self, model: Steppable[Memory, DecoderState], positions: Sequence[int]) -> None:
        self._model = model
        self._positions = list(positions)

    def encode(self, source: Padded) -> tuple[Memory, DecoderState]:
        """Encodes a batch, and hides the positions."""
        memory, state = self._model.encode(source)
        mask = memory.mask.clone()
        mask[:, self._positions] = False
        if not mask.any(dim=1).all():
            raise UserError("every position of the source is hidden: leave at least one to attend to")
        return replace(memory, mask=mask), state

    def step(self, tokens: Tensor, memory: Memory, state: DecoderState) -> tuple[Tensor, Tensor, DecoderState]:
        """One step of the model."""
        return self._model.step(tokens, memory, state)

    def length_limits(self, source_lengths: Integers) -> Integers:
        """Those of the model."""
        return self._model.length_limits(source_lengths)
