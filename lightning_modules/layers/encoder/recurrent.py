"""Recurrent encoders, by fused kernels and from scratch."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from lightning_modules.kernels.aligned_lstm import AlignedLSTM
from lightning_modules.kernels.dropout import Dropout
from lightning_modules.kernels.linear import linear
from lightning_modules.layers.checks import check_shares, check_sizes
from lightning_modules.layers.encoder.encoder import Encoder
from lightning_modules.layers.layer_norm_lstm import LayerNormLSTM
from lightning_modules.layers.padding import reversed_within
from lightning_modules.layers.recurrent import CELLS, STATE_PARTS, Cell, RecurrentDropout, State, step_of
from lightning_modules.layers.state import DroppedWeights, StateShape

InputsT = TypeVar("InputsT", Tensor, PackedSequence)


class RecurrentEncoder(Encoder):
    """Recurrent layers in one direction or two (Schuster and Paliwal 1997).

    The backward direction starts at each sequence's own last token: by packing, or, for an LSTM on the CPU, by aligning
    the sequences at their ends, which is faster there. Sequences of one length need neither: they run through
    the fused layers whole, with torch's own dropout between these. A ``layer_norm_lstm`` is a loop, and slower.

    Args:
        embedding_size: Width of the embedded source; the model gives it.
        cell: Kind of recurrent cell.
        hidden_size: Width of each direction.
        layers: Number of layers.
        bidirectional: Read in both directions; the memory is then twice as wide.
        dropout: Dropout between layers, and on the memory.
        recurrent_dropout: Share of the values of the hidden-to-hidden matrices that a training batch leaves out.

    Raises:
        UserError: A size or the number of layers is below 1, or a dropout outside [0, 1).
    """

    def __init__(
        self,
        embedding_size: int,
        cell: Cell = "lstm",
        hidden_size: int = 256,
        layers: int = 1,
        bidirectional: bool = True,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_sizes(self, hidden_size=hidden_size, layers=layers)
        check_shares(self, dropout=dropout, recurrent_dropout=recurrent_dropout)
        self.rnn = CELLS[cell](
            embedding_size,
            hidden_size,
            layers,
            bidirectional=bidirectional,
            dropout=dropout if layers > 1 else 0.0,
        )
        self.cell: Cell = cell
        self.dropout = Dropout(dropout)
        self.between = Dropout(dropout)
        self.recurrent_dropout = RecurrentDropout(recurrent_dropout)
        self.directions = 2 if bidirectional else 1
        self.memory_size = self.directions * hidden_size
        self.state_shape = StateShape(STATE_PARTS[cell], layers, self.memory_size)

    def forward(self, embedded: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
        """Encodes a padded batch; see :meth:`Encoder.forward`."""
        dropped = self.recurrent_dropout.sample_weights(self.rnn)
        if (lengths == embedded.shape[1]).all():
            memory, final = self._fused(embedded, dropped)
        elif isinstance(self.rnn, nn.LSTM) and embedded.device.type == "cpu":
            memory, final = self._aligned(self.rnn, embedded, lengths, dropped)
        elif isinstance(self.rnn, LayerNormLSTM):
            padded = (embedded, None, lengths.to(embedded.device))
            memory, final = functional_call(self.rnn, dict(dropped), padded)
        else:
            memory, final = self._packed(embedded, lengths, dropped)
        return self.dropout(memory), tuple(self._join_directions(part) for part in final)

    def stepwise(self, embedded: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
        """What :meth:`forward` computes, by a loop over steps: slower, but each step can be looked at.

        Args:
            embedded: ``(batch, source_len, embedding_size)``.
            lengths: ``(batch,)``, int64, at least 1.
        """
        lengths = lengths.to(embedded.device)
        dropped = self.recurrent_dropout.sample_weights(self.rnn)
        inputs, finals = embedded, []
        for layer in range(self.state_shape.layers):
            if layer:
                inputs = self.between(inputs)
            outputs, final = self._pass(inputs, lengths, dropped, f"l{layer}")
            if self.directions == 2:
                backward, first = self._pass(reversed_within(inputs, lengths), lengths, dropped, f"l{layer}_reverse")
                outputs = torch.cat([outputs, reversed_within(backward, lengths)], dim=-1)
                final = tuple(torch.cat(parts, dim=-1) for parts in zip(final, first, strict=True))
            inputs = outputs
            finals.append(final)
        return self.dropout(inputs), tuple(torch.stack(parts) for parts in zip(*finals, strict=True))

    def _aligned(
        self, rnn: nn.LSTM, embedded: Tensor, lengths: Tensor, dropped: DroppedWeights
    ) -> tuple[Tensor, State]:
        aligned = AlignedLSTM(lengths, embedded.shape[1])
        outputs, states = embedded, []
        for layer in range(rnn.num_layers):
            outputs, last = aligned.layer(rnn, layer, self.between(outputs) if layer else outputs, dropped)
            states.append(last)
        return outputs, tuple(torch.cat(parts) for parts in zip(*states, strict=True))

    def _packed(self, embedded: Tensor, lengths: Tensor, dropped: DroppedWeights) -> tuple[Tensor, State]:
        packed = pack_padded_sequence(embedded, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, final = self._fused(packed, dropped)
        memory, _ = pad_packed_sequence(outputs, batch_first=True, total_length=embedded.shape[1])
        return memory, final

    def _fused(self, inputs: InputsT, dropped: DroppedWeights) -> tuple[InputsT, State]:
        outputs, final = functional_call(self.rnn, dict(dropped), (inputs,))
        return outputs, final if isinstance(final, tuple) else (final,)

    def _join_directions(self, part: Tensor) -> Tensor:
        """``(layers * directions, batch, hidden)`` to ``(layers, batch, directions * hidden)``."""
        batch, hidden = part.shape[1:]
        return part.view(-1, self.directions, batch, hidden).transpose(1, 2).reshape(-1, batch, self.memory_size)

    def _pass(self, inputs: Tensor, lengths: Tensor, dropped: DroppedWeights, name: str) -> tuple[Tensor, State]:
        """Runs one layer in one direction, from a state of zeros.

        Args:
            inputs: ``(batch, source_len, input_size)``.
            lengths: ``(batch,)``; a sequence's state stays as it is after its end.
            dropped: In place of the weights of these names.
            name: The end of the names of the weights.

        Returns:
            Outputs ``(batch, source_len, hidden_size)``, 0 on padding, and the state at each sequence's end, each part
            ``(batch, hidden_size)``.
        """
        weight_ih, weight_hh, bias_ih, bias_hh = (
            getattr(self.rnn, f"{kind}_{name}") for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        weight_hh = dropped.get(f"weight_hh_{name}", weight_hh)
        projected = linear(inputs, weight_ih, bias_ih)
        state: State = (projected.new_zeros(len(inputs), weight_hh.shape[1]),) * self.state_shape.parts
        step, outputs = step_of(self.rnn, self.cell, name), []
        for position, step_inputs in enumerate(projected.unbind(1)):
            within = (position < lengths)[:, None]
            following = step(step_inputs, linear(state[0], weight_hh, bias_hh), state)
            state = tuple(torch.where(within, new, old) for new, old in zip(following, state, strict=True))
            outputs.append(state[0] * within)
        return torch.stack(outputs, dim=1), state


class StepwiseEncoder(RecurrentEncoder):
    """:class:`RecurrentEncoder` with its recurrence written out (Schuster and Paliwal 1997).

    A layer is two independent passes: ``h_t = step(x_t, h_(t-1))`` over the sequence, and the same with weights of its
    own over the sequence reversed; what comes out of the two stands side by side, ``[forward_t; backward_t]``. A
    sequence is reversed within its own length, so that the backward pass begins at its last token and not in padding.

    The weights are those of :class:`RecurrentEncoder`, by name and shape; what comes out is equal. The fused one is
    faster.
    """

    def forward(self, embedded: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
        """Encodes a padded batch; see :meth:`Encoder.forward`."""
        return self.stepwise(embedded, lengths)
