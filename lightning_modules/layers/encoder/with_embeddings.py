"""Encoders whose memory holds the embeddings too."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_modules.layers.encoder.encoder import Encoder, EncoderFactory
from lightning_modules.layers.encoder.recurrent import RecurrentEncoder
from lightning_modules.layers.recurrent import State


class EncoderWithEmbeddings(Encoder):
    """An encoder with each token's embedding beside its output, so that the decoder also reads the words themselves.

    Gehring et al. (2017, section 3.3) add the two; side by side their widths may differ, and keys are made of both.

    Args:
        embedding_size: Width of the embedded source; the model gives it.
        encoder: What encodes; made of (embedding size).
    """

    def __init__(self, embedding_size: int, encoder: EncoderFactory = RecurrentEncoder) -> None:
        super().__init__()
        self.encoder = encoder(embedding_size)
        self.memory_size = self.encoder.memory_size + embedding_size
        self.state_shape = self.encoder.state_shape

    def forward(self, embedded: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
        """Encodes a padded batch; see :meth:`Encoder.forward`."""
        memory, final = self.encoder(embedded, lengths)
        within = torch.arange(embedded.shape[1], device=embedded.device) < lengths.to(embedded.device)[:, None]
        return torch.cat([memory, embedded * within[:, :, None]], dim=-1), final
