"""The encoder of a Transformer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lightning_modules.kernels.dropout import Dropout
from lightning_modules.kernels.linear import Linear
from lightning_modules.layers.checks import check_shares, check_sizes
from lightning_modules.layers.encoder import Encoder
from lightning_modules.layers.recurrent import State
from lightning_modules.layers.state import StateShape
from lightning_modules.layers.transformer.block import FeedForward, SelfAttention, check_heads
from lightning_modules.layers.transformer.positions import PositionsFactory, Rotation, SinusoidalPositions


class TransformerEncoder(Encoder):
    """Layers of self-attention and feed-forward networks (Vaswani et al. 2017, section 3.1), in pre-norm.

    ``x + attention(norm(x))``, then ``x + feed_forward(norm(x))`` in each layer, and one norm above all of them (Xiong
    et al. 2020, table 1). No recurrence leaves a final state: the mean of the memory over the tokens takes its place,
    for decoders that begin from one.

    Args:
        embedding_size: Width of the embedded source; the model gives it.
        hidden_size: Width of the layers; embeddings of another are projected.
        heads: Number of heads of each attention; they divide hidden_size.
        feedforward_size: Width within the feed-forward networks.
        layers: Number of layers.
        positions: How a layer knows where a token stands, made of (hidden size, head size).
        dropout: Dropout on the embeddings with their positions, and on what each part adds (section 5.4).
        attention_dropout: Dropout on the weights of the attention.

    Raises:
        UserError: A size or a number is below 1, the heads do not divide hidden_size, or a dropout is outside [0, 1).
    """

    def __init__(
        self,
        embedding_size: int,
        hidden_size: int = 256,
        heads: int = 4,
        feedforward_size: int = 1024,
        layers: int = 4,
        positions: PositionsFactory = SinusoidalPositions,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_sizes(self, hidden_size=hidden_size, heads=heads, feedforward_size=feedforward_size, layers=layers)
        check_shares(self, dropout=dropout, attention_dropout=attention_dropout)
        check_heads(self, heads, hidden_size)
        same = embedding_size == hidden_size
        self.input_projection = nn.Identity() if same else Linear(embedding_size, hidden_size)
        self.positions = positions(hidden_size, hidden_size // heads)
        self.layers = nn.ModuleList(
            _EncoderLayer(hidden_size, heads, feedforward_size, dropout, attention_dropout) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(hidden_size)
        self.dropout = Dropout(dropout)
        self.memory_size = hidden_size
        self.state_shape = StateShape(1, 1, hidden_size)

    def forward(self, embedded: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
        """Encodes a padded batch; see :meth:`Encoder.forward`. The state is the mean of the memory over the tokens."""
        lengths = lengths.to(embedded.device)
        within = torch.arange(embedded.shape[1], device=embedded.device) < lengths[:, None]
        inputs, rotation = self.positions(self.input_projection(embedded), 0)
        hidden = self.dropout(inputs)
        for layer in self.layers:
            hidden = layer(hidden, rotation, within[:, None, None, :])
        memory = self.norm(hidden) * within[:, :, None]
        return memory, ((memory.sum(dim=1) / lengths[:, None])[None],)


class _EncoderLayer(nn.Module):
    """One layer; its sizes are those of the encoder."""

    def __init__(self, size: int, heads: int, feedforward_size: int, dropout: float, attention_dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(size)
        self.attention = SelfAttention(size, heads, attention_dropout)
        self.feedforward_norm = nn.LayerNorm(size)
        self.feedforward = FeedForward(size, feedforward_size)
        self.dropout = Dropout(dropout)

    def forward(self, hidden: Tensor, rotation: Rotation | None, mask: Tensor) -> Tensor:
        """``(b, s, size)`` to the same; the mask is ``(b, 1, 1, s)``."""
        queries, seen = self.attention.project(self.attention_norm(hidden), rotation)
        hidden = hidden + self.dropout(self.attention(queries, seen, mask))
        return hidden + self.dropout(self.feedforward(self.feedforward_norm(hidden)))
