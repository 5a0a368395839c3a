"""Encoders of a source whose features are read apart from its text."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from datamodules.errors import UserError
from lightning_modules.kernels.graph_form import GraphForm
from lightning_modules.kernels.linear import Linear
from lightning_modules.layers.encoder.bag_of_words import BagOfWordsEncoder
from lightning_modules.layers.encoder.encoder import Encoder, EncoderFactory
from lightning_modules.layers.encoder.recurrent import RecurrentEncoder
from lightning_modules.layers.recurrent import State


class EncoderWithFeatures(Encoder):
    """An encoder of the text, and one of the features before it; the memory has both, in their places.

    The text begins at position 0, whatever the number of its features, and a feature has no position but in its own
    encoder; by default it has none at all (Wu et al. 2021, section 3.2, give features position 0).
    Beside each feature stands the final state f of their encoder: who looks at one knows all of them. The decoder
    attends to text and features by the same weights, and begins from the text's state with ``U f`` added to its h.

    Args:
        embedding_size: Width of the embedded source; the model gives it.
        encoder: What encodes the text; made of (embedding size).
        features: What encodes the features; made of (embedding size). ``tanh(W [memory; state] + b)`` gives them the
            text's width.
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
        feature_size = self.features.memory_size + self.features.state_shape.size
        self.feature_projection = Linear(feature_size, self.encoder.memory_size)
        self.state_projection = Linear(self.features.state_shape.size, self.encoder.state_shape.size, bias=False)
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
        text_lengths, count, longest = lengths - features, embedded.shape[1], embedded.shape[1]
        if GraphForm.current() is None:
            count, longest = max(1, int(features.max())), int(text_lengths.max())
        text = _rows(embedded, first + positions[:longest])
        text_memory, final = self.encoder(text, text_lengths)
        read, state = self.features(embedded[:, :count], features.clamp(min=1))
        known = torch.cat([read, state[0][-1][:, None].expand(-1, count, -1)], dim=-1)
        feature_memory = functional.pad(self.feature_projection(known).tanh(), (0, 0, 0, embedded.shape[1] - count))
        memory = torch.where((positions < first)[:, :, None], feature_memory, _rows(text_memory, positions - first))
        begins = (final[0] + self.state_projection(state[0][-1]) * (first > 0), *final[1:])
        return memory * (positions < lengths[:, None])[:, :, None], begins


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
