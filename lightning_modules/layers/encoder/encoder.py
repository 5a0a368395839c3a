"""What every encoder offers: embedded source tokens, or vectors of features, to a memory and a final state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor, nn

from lightning_modules.layers.recurrent import State
from lightning_modules.layers.state import StateShape


class Encoder(nn.Module, ABC):
    """What every encoder offers.

    Attributes:
        memory_size: Width of the memory.
        state_shape: Shape of the final state, the directions joined in its size.
    """

    memory_size: int
    state_shape: StateShape

    @abstractmethod
    def forward(self, embedded: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
        """Encodes a padded batch; padding has no influence on anything before it.

        Args:
            embedded: ``(batch, source_len, embedding_size)``.
            lengths: ``(batch,)``, int64, at least 1.

        Returns:
            The memory ``(batch, source_len, memory_size)``, 0 on padding, and the final state, each part
            ``(layers, batch, size)``: of every layer the forward direction at the last token beside the backward
            direction at the first.
        """


EncoderFactory = Callable[[int], Encoder]
"""Makes an encoder of the width of what it encodes."""
