"""Encoders of a source whose features are read apart from its text."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from datamodules.errors import UserError
from lightning_modules.kernels.linear import Linear
from lightning_modules.layers.encoder.bag_of_words import BagOfWordsEncoder
from lightning_modules.layers.encoder.encoder import Encoder, EncoderFactory
from lightning_modules.layers.encoder.recurrent import RecurrentEncoder
from lightning_modules.layers.recurrent import State


class EncoderWithFeatures(Encoder):
    """An encoder of the text, and one of the features before it; the memory has both, in their places.

    The text begins at position 0, whatever the number of its features, and a feature has no position but in its own
    encoder, so that with the default, the embeddings themselves, their order does not matter (Wu et al. 2021, section
    3.2, give features position 0). The decoder attends to both by the same weights, and begins from the text's state.

    Args:
        embedding_size: Width of the embedded source; the model gives it.
        encoder: What encodes the text; made of (embedding size).
        features: What encodes the features; made of (embedding size). A linear map gives both one width.
    """

    def __init__(
        self,
        embedding_size: int,
        encoder: EncoderFactory = RecurrentEncoder,
        features: EncoderFactory = BagOfWordsEncoder,
    ) -> None:
        super().__init__()
        self.encoder = encoder(embedding_size)
        self.features = features(embedding_size)
        self.feature_projection = Linear(self.features.memory_size, self.encoder.memory_size)
        self.memory_size = self.encoder.memory_size
        self.state_shape = self.encoder.state_shape

    def forward(self, embedded: Tensor, lengths: Tensor, features: Tensor | None = None) -> tuple[Tensor, State]:
        """Encodes a padded batch; see :meth:`Encoder.forward`.

        Args:
            embedded: ``(batch, source_len, embedding_size)``.
            lengths: ``(batch,)``, int64, those of features and text together.
            features: ``(batch,)``, int64, how many positions at the beginning are features; less than the lengths.

        Raises:
            UserError: It stands within another encoder, which does not know of features.
        """
        if features is None:
            raise UserError(
                "EncoderWithFeatures stands within another encoder: make it model.init_args.encoder, and the other one "
                "its own encoder"
            )
        lengths, positions = lengths.to(embedded.device), torch.arange(embedded.shape[1], device=embedded.device)
        first = features[:, None]
        text_lengths, count = lengths - features, max(1, int(features.max()))
        longest = int(text_lengths.max())
        text = _rows(embedded, first + positions[:longest])
        text_memory, final = self.encoder(text, text_lengths)
        read, _ = self.features(embedded[:, :count], features.clamp(min=1))
        feature_memory = functional.pad(self.feature_projection(read), (0, 0, 0, len(positions) - count))
        memory = torch.where((positions < first)[:, :, None], feature_memory, _rows(text_memory, positions - first))
        return memory * (positions < lengths[:, None])[:, :, None], final


def _rows(values: Tensor, positions: Tensor) -> Tensor:
    """What stands at some positions of each sequence; beyond its ends, what stands there.

    Args:
        values: ``(batch, source_len, size)``.
        positions: ``(batch, positions)``.

    Returns:
        ``(batch, positions, size)``.
    """
    within = positions.clamp(0, values.shape[1] - 1)
    return values.gather(1, within[:, :, None].expand(-1, -1, values.shape[2]))
