"""An LSTM over padded sequences, exact in their lengths, without packing."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

State = tuple[Tensor, ...]
"""Each part ``(layers, batch, size)``."""


class AlignedLSTM:
    """Runs an ``nn.LSTM`` over a padded batch with every sequence ending at the last position.

    Where the padding comes first it changes nothing, as long as a state of zeros stays one: an LSTM without bias maps
    an input of 0 and a state of 0 to a state of 0. So the bias enters as the weight of one more input, 1 at tokens and
    0 on padding, and outputs, final states and gradients are those of each sequence alone. Unlike a packed sequence, a
    dense batch runs in the fused kernels that torch has on the CPU (oneDNN).

    Args:
        lengths: ``(batch,)``, int64, at least 1.
        size: Length of the padded sequences.
    """

    def __init__(self, lengths: Tensor, size: int) -> None:
        positions = torch.arange(size, device=lengths.device)
        self._real = (positions < lengths[:, None])[..., None]
        self._to_end = ((positions + lengths[:, None]) % size)[..., None]
        self._to_start = ((positions - lengths[:, None]) % size)[..., None]

    def layer(self, rnn: nn.LSTM, layer: int, inputs: Tensor, dropped: Mapping[str, Tensor]) -> tuple[Tensor, State]:
        """Runs one layer in each of its directions.

        Args:
            rnn: Whose weights.
            layer: Which layer, counted from 0.
            inputs: ``(batch, size, input_size)``, padded at the end.
            dropped: In place of the weights of these names.

        Returns:
            Outputs ``(batch, size, directions * hidden_size)``, 0 on padding, and the last h and c of each direction,
            ``(directions, batch, hidden_size)``.
        """
        marked = torch.cat([inputs, inputs.new_ones(1).expand(*inputs.shape[:2], 1)], dim=-1) * self._real
        outputs, last = self._run(rnn, dropped, f"l{layer}", self._gather(marked, self._to_end))
        outputs = self._gather(outputs, self._to_start)
        if not rnn.bidirectional:
            return outputs, last
        reverse, reverse_last = self._run(rnn, dropped, f"l{layer}_reverse", marked.flip(1))
        joined = tuple(torch.cat(parts) for parts in zip(last, reverse_last, strict=True))
        return torch.cat([outputs, reverse.flip(1)], dim=-1), joined

    @staticmethod
    def _gather(values: Tensor, index: Tensor) -> Tensor:
        return values.gather(1, index.expand(-1, -1, values.shape[2]))

    @staticmethod
    def _run(rnn: nn.LSTM, dropped: Mapping[str, Tensor], name: str, inputs: Tensor) -> tuple[Tensor, State]:
        weight, recurrent = getattr(rnn, f"weight_ih_{name}"), getattr(rnn, f"weight_hh_{name}")
        recurrent = dropped.get(f"weight_hh_{name}", recurrent)
        bias = getattr(rnn, f"bias_ih_{name}") + getattr(rnn, f"bias_hh_{name}")
        zeros = inputs.new_zeros(1, inputs.shape[0], rnn.hidden_size)
        weights = [torch.cat([weight, bias[:, None]], dim=1), recurrent]
        # arguments: has_biases, num_layers, dropout, train, bidirectional, batch_first
        outputs, hidden, cell = torch.lstm(inputs, (zeros, zeros), weights, False, 1, 0.0, rnn.training, False, True)
        return outputs, (hidden, cell)
