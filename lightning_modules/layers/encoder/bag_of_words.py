"""An encoder without order: what a text is as a set of words."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_modules.layers.encoder.encoder import Encoder
from lightning_modules.layers.recurrent import State
from lightning_modules.layers.state import StateShape


class BagOfWordsEncoder(Encoder):
    """The embeddings as they are; their mean is the final state (Joulin et al. 2017, section 2).

    It has no parameters, and whatever the order of the words, its state is the same.

    Args:
        embedding_size: Width of the embedded source; the model gives it.
    """

    def __init__(self, embedding_size: int) -> None:
        super().__init__()
        self.memory_size = embedding_size
        self.state_shape = StateShape(1, 1, embedding_size)

    def forward(self, embedded: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
        """Encodes a padded batch; see :meth:`Encoder.forward`."""
        lengths = lengths.to(embedded.device)
        within = torch.arange(embedded.shape[1], device=embedded.device) < lengths[:, None]
        memory = embedded.masked_fill(~within[:, :, None], 0.0)
        return memory, ((memory.sum(dim=1) / lengths[:, None])[None],)
