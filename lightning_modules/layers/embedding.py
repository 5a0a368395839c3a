"""Token embeddings."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from datamodules.batch import UNK
from lightning_modules.kernels.dropout import Dropout
from lightning_modules.layers.checks import check_shares, check_sizes


class TokenEmbedding(nn.Embedding):
    """Embeds ids, scaled by the square root of the width (Vaswani et al. 2017, section 3.4), with two dropouts.

    The scale lets one matrix serve as embedding and, tied, as output projection: it begins with a standard deviation
    of ``size ** -0.5``, which suits the output, and the embeddings come out with one of 1.

    Args:
        vocabulary_size: Number of ids.
        size: Width of an embedding.
        dropout: Dropout of single values.
        token_dropout: Probability that a whole token is embedded as zeros in training (Sennrich and Zhang 2019).
        extended: Whether there may be ids above the vocabulary, which are embedded as the unknown token, as See et al.
            (2017) do it: what is copied and has no id of the vocabulary.

    Raises:
        UserError: The width is below 1, or a dropout outside [0, 1).
    """

    def __init__(
        self,
        vocabulary_size: int,
        size: int,
        dropout: float = 0.0,
        token_dropout: float = 0.0,
        extended: bool = False,
    ) -> None:
        check_sizes(self, size=size)
        check_shares(self, dropout=dropout, token_dropout=token_dropout)
        super().__init__(vocabulary_size, size)
        self.dropout = Dropout(dropout)
        self.token_dropout = token_dropout
        self.scale = math.sqrt(size)
        self.extended = extended

    def forward(self, ids: Tensor) -> Tensor:
        """Embeds ids of any shape; the result has one dimension more, ``(..., size)``."""
        if self.extended:
            ids = ids.masked_fill(ids >= self.num_embeddings, UNK)
        embedded = super().forward(ids) * self.scale
        if self.training and self.token_dropout:
            kept = torch.rand(ids.shape, device=ids.device) >= self.token_dropout
            embedded = embedded * kept[..., None]
        return self.dropout(embedded)
