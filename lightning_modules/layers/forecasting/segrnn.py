"""SegRNN: a recurrence over segments, and all segments to predict at once."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from datamodules.errors import UserError
from lightning_modules.kernels.dropout import Dropout
from lightning_modules.kernels.linear import Linear
from lightning_modules.layers.checks import check_shares, check_sizes
from lightning_modules.layers.forecasting.network import DirectNetwork


class SegRNN(DirectNetwork):
    """A GRU over the segments of each column alone, and one step of it for every segment to predict (Lin et al. 2023).

    A window is cut into segments of s steps, each embedded by ``relu(W x + b)``, and read by the GRU, column by column
    with the same weights. Decoding is parallel multi-step forecasting: from the last state, each segment to predict
    takes one step of the same GRU, whose input is the position of the segment beside the column, both learned; a linear
    map makes s steps of what comes out. The paper takes the last value off: that is ``LastOffset``.

    Args:
        window: Steps that are read, a multiple of the segment; the model gives it.
        horizon: Steps to predict, likewise; the model gives it.
        columns: Columns; the model gives it.
        parameters: Parameters of a number; the model gives it.
        segment: Steps of a segment.
        hidden_size: Width of the GRU, even.
        dropout: Dropout before the last linear map.

    Raises:
        UserError: A size is below 1 or the width odd, window or horizon are no multiples of the segment, or the dropout
            is outside [0, 1).
    """

    def __init__(
        self,
        window: int,
        horizon: int,
        columns: int,
        parameters: int,
        segment: int = 24,
        hidden_size: int = 512,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        check_sizes(self, segment=segment, hidden_size=hidden_size)
        check_shares(self, dropout=dropout)
        for name, steps in (("window", window), ("horizon", horizon)):
            if steps % segment:
                raise UserError(
                    f"segment of SegRNN is {segment}, but data.init_args.{name} is {steps}: give a multiple of it"
                )
        if hidden_size % 2:
            raise UserError(f"hidden_size of SegRNN is {hidden_size}: give an even number")
        self.segment, self.columns, self.segments = segment, columns, horizon // segment
        self.embedding = Linear(segment, hidden_size)
        self.rnn = nn.GRU(hidden_size, hidden_size, batch_first=True)
        self.position_embedding = nn.Parameter(torch.empty(self.segments, hidden_size // 2))
        self.column_embedding = nn.Parameter(torch.empty(columns, hidden_size // 2))
        self.dropout = Dropout(dropout)
        self.output = Linear(hidden_size, segment * parameters)

    def forward(self, past: Tensor, known: Tensor) -> Tensor:
        """Predicts; see :meth:`DirectNetwork.forward`. A missing value counts as 0."""
        batch = len(past)
        segments = past.transpose(1, 2).reshape(batch * self.columns, -1, self.segment)
        _, state = self.rnn(self.embedding(segments).relu())
        inputs = self.queries().repeat(batch, 1)[:, None]
        hidden, _ = self.rnn(inputs, state.repeat_interleave(self.segments, dim=1))
        predicted = self.output(self.dropout(hidden.squeeze(1)))
        by_column = predicted.view(batch, self.columns, self.segments * self.segment, -1)
        return by_column.transpose(1, 2)

    def queries(self) -> Tensor:
        """The decoder's inputs, ``(columns * segments, hidden_size)``: position beside column."""
        positions = self.position_embedding.repeat(self.columns, 1)
        columns = self.column_embedding.repeat_interleave(self.segments, dim=0)
        return torch.cat([positions, columns], dim=-1)
