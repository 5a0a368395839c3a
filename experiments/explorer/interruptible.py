"""A model whose steps end when nobody waits for them any more."""

from __future__ import annotations

from torch import Tensor

from datamodules.batch import Padded
from experiments.explorer.worker import Ticket
from lightning_modules.decoding.prefixes import Integers
from lightning_modules.decoding.search import Steppable
from lightning_modules.layers.state import DecoderState, Memory


class Interruptible:
    """The same model, which asks at each step whether it goes on.

    Args:
        model: Any model.
        ticket: The request that it works for.
    """

    def __init__(self, model: Steppable[Memory, DecoderState], ticket: Ticket) -> None:
        self._model = model
        self._ticket = ticket

    def encode(self, source: Padded) -> tuple[Memory, DecoderState]:
        """Encodes a batch."""
        return self._model.encode(source)

    def step(self, tokens: Tensor, memory: Memory, state: DecoderState) -> tuple[Tensor, Tensor, DecoderState]:
        """One step of the model."""
        self._ticket.check()
        return self._model.step(tokens, memory, state)

    def length_limits(self, source_lengths: Integers) -> Integers:
        """Those of the model."""
        return self._model.length_limits(source_lengths)
