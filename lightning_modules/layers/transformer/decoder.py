"""The decoder of a Transformer, and the state that it carries."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lightning_modules.kernels.dropout import Dropout
from lightning_modules.kernels.graph_form import GraphForm
from lightning_modules.kernels.linear import Linear
from lightning_modules.layers.attention import MultiHeadAttention
from lightning_modules.layers.checks import check_shares, check_sizes
from lightning_modules.layers.decoder import Decoder
from lightning_modules.layers.recurrent import State
from lightning_modules.layers.state import DecoderState, Memory, StateShape, expand_rows
from lightning_modules.layers.transformer.block import FeedForward, KeysValues, SelfAttention, check_heads
from lightning_modules.layers.transformer.positions import PositionsFactory, Rotation, SinusoidalPositions


@dataclass(frozen=True)
class TransformerState(DecoderState):
    """What the layers have made of the positions before, so that a step computes nothing again.

    Attributes:
        past: Keys and values of each layer's self-attention, ``(rows, heads, t, d)``; nothing before the first step.
    """

    past: tuple[KeysValues, ...] = ()

    @property
    def length(self) -> int:
        """Number of positions, t."""
        return self.past[0].keys.shape[2] if self.past else 0

    def select(self, rows: Tensor) -> TransformerState:
        """The state of the given rows; see :meth:`DecoderState.select`."""
        return TransformerState(tuple(each.select(rows) for each in self.past))


class CrossAttention(MultiHeadAttention):
    """The multi-head attention between a Transformer's decoder and the memory (Vaswani et al. 2017, section 3.2.3).

    The context is as wide as the query, to which it is added. Dropout falls on the weights that the context is made of;
    those that come out are whole.

    Args:
        query_size: Width of the query; the decoder gives it.
        memory_size: Width of the memory; the decoder gives it.
        heads: Number of heads.
        dropout: Dropout on the weights.
    """

    def __init__(self, query_size: int, memory_size: int, heads: int = 4, dropout: float = 0.0) -> None:
        super().__init__(query_size, memory_size, heads)
        self.context_size = query_size
        self.output_projection = Linear(query_size, query_size, bias=False)
        self.dropout = Dropout(dropout)

    def context(self, weights: Tensor, keys: Tensor, memory: Tensor) -> Tensor:
        """``(b, t, query_size)``; see :meth:`Attention.context`."""
        return super().context(self.dropout(weights), keys, memory)


class TransformerDecoder(Decoder[TransformerState]):
    """Layers of self-attention, attention to the memory and feed-forward networks (Vaswani et al. 2017, section 3.1).

    In pre-norm: ``x + part(norm(x))`` for each of the three parts of a layer, and one norm above all layers (Xiong et
    al. 2020, table 1). A whole target runs without a loop; a step looks at the keys and values of the steps before, and
    makes its own alone. There is no recurrent state, so that a bridge has nothing to make; ``CopyBridge`` refuses.

    The weights are those of the attention to the memory, the heads of all layers side by side, the lowest layer first.

    Args:
        embedding_size: Width of the embedded target; the model gives it.
        memory_size: Width of the memory; the model gives it.
        hidden_size: Width of the layers and of the output; embeddings of another are projected.
        heads: Number of heads of each attention; they divide hidden_size.
        feedforward_size: Width within the feed-forward networks.
        layers: Number of layers.
        positions: How a layer knows where a token stands, made of (hidden size, head size).
        dropout: Dropout on the embeddings with their positions, and on what each part adds (section 5.4).
        attention_dropout: Dropout on the weights of both attentions.

    Raises:
        UserError: A size or a number is below 1, the heads do not divide hidden_size, or a dropout is outside [0, 1).
    """

    def __init__(
        self,
        embedding_size: int,
        memory_size: int,
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
        self.output_size = hidden_size
        self.state_shape = StateShape(0, 0, 0)
        same = embedding_size == hidden_size
        self.input_projection = nn.Identity() if same else Linear(embedding_size, hidden_size)
        self.positions = positions(hidden_size, hidden_size // heads)
        self.attentions = nn.ModuleList(
            CrossAttention(hidden_size, memory_size, heads, attention_dropout) for _ in range(layers)
        )
        self.layers = nn.ModuleList(
            _DecoderLayer(hidden_size, heads, feedforward_size, dropout, attention_dropout) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(hidden_size)
        self.dropout = Dropout(dropout)

    def initial_state(self, recurrent: State) -> TransformerState:
        """Nothing; what a bridge makes is not looked at."""
        return TransformerState()

    def forward(
        self, embedded: Tensor, memory: Memory, state: TransformerState
    ) -> tuple[Tensor, Tensor, TransformerState]:
        """Runs over a whole target; see :meth:`Decoder.forward`. No position looks at those after it."""
        return self._run(embedded, memory, state)

    def step(
        self, embedded: Tensor, memory: Memory, state: TransformerState, rows: Tensor | None = None
    ) -> tuple[Tensor, Tensor, TransformerState]:
        """Runs one step; see :meth:`Decoder.step`."""
        output, weights, state = self._run(expand_rows(rows, embedded)[:, None], memory, state)
        return output.squeeze(1), weights.squeeze(2), state

    def _run(
        self, embedded: Tensor, memory: Memory, state: TransformerState
    ) -> tuple[Tensor, Tensor, TransformerState]:
        inputs, rotation = self.positions(self.input_projection(embedded), state.length)
        hidden = self.dropout(inputs)
        mask = _causal_mask(hidden, state.length)
        weights, past = [], []
        for number, layer in enumerate(self._layers()):
            before = state.past[number] if state.past else None
            hidden, seen = layer.look_back(hidden, rotation, before, mask)
            context, weight = self._attend(number, layer.memory_norm(hidden), memory)
            hidden = layer.feed_forward(hidden + layer.dropout(context))
            weights.append(weight)
            past.append(seen)
        return self.norm(hidden), torch.cat(weights, dim=1), TransformerState(tuple(past))

    def _layers(self) -> list[_DecoderLayer]:
        return list(self.layers)  # type: ignore[arg-type]  # a ModuleList does not say of what


class _DecoderLayer(nn.Module):
    """One layer but for its attention to the memory, which the decoder has; its sizes are those of the decoder."""

    def __init__(self, size: int, heads: int, feedforward_size: int, dropout: float, attention_dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(size)
        self.attention = SelfAttention(size, heads, attention_dropout)
        self.memory_norm = nn.LayerNorm(size)
        self.feedforward_norm = nn.LayerNorm(size)
        self.feedforward = FeedForward(size, feedforward_size)
        self.dropout = Dropout(dropout)

    def look_back(
        self, hidden: Tensor, rotation: Rotation | None, before: KeysValues | None, mask: Tensor | None
    ) -> tuple[Tensor, KeysValues]:
        """Self-attention.

        Args:
            hidden: ``(b, n, size)``.
            rotation: How queries and keys are turned.
            before: Keys and values of the positions before; None for none.
            mask: From :func:`_causal_mask`.

        Returns:
            ``(b, n, size)``, and the keys and values of all positions up to the last of these.
        """
        queries, seen = self.attention.project(self.attention_norm(hidden), rotation)
        causal = before is None
        seen = seen if before is None else before.followed_by(seen)
        return hidden + self.dropout(self.attention(queries, seen, mask, causal)), seen

    def feed_forward(self, hidden: Tensor) -> Tensor:
        """``(b, n, size)`` to the same."""
        return hidden + self.dropout(self.feedforward(self.feedforward_norm(hidden)))


def _causal_mask(hidden: Tensor, past: int) -> Tensor | None:
    """Which positions each of some new ones looks at, where it is not enough to say that attention is causal.

    Args:
        hidden: ``(b, n, size)``, of the new positions.
        past: Number of positions before.

    Returns:
        ``(n, past + n)``, True for itself and all before; None for a single one, which looks at all, or no past.
    """
    length = hidden.shape[1]
    if GraphForm.current() is not None or length == 1 or not past:
        return None
    return torch.ones(length, past + length, dtype=torch.bool, device=hidden.device).tril(past)
