"""Recurrent layers over padded sequences, in forms that a graph holds, exact in their lengths."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal, cast

import torch
from torch import Tensor, nn

from lightning_modules.kernels.aligned_lstm import AlignedLSTM
from lightning_modules.layers.encoder import Encoder, RecurrentEncoder
from lightning_modules.layers.padding import at_ends, reversed_within
from lightning_modules.layers.recurrent import State

FusedCell = Literal["lstm", "gru", "rnn"]
"""Cells that both formats have an operator of."""

ONNX_OPERATORS: dict[FusedCell, str] = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}

ONNX_GATES: dict[FusedCell, tuple[int, ...]] = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2), "rnn": (0,)}
"""Which of torch's gates stand where in ONNX: i, f, g, o become i, o, f, c; r, z, n become z, r, h."""

ONNX_OPSET = 20
"""The version of ONNX's operators."""

_Attribute = int | float | str | bool | Sequence[int] | Sequence[float] | Sequence[str] | Sequence[bool]
"""What torch lets an attribute of an operator be."""


class GraphEncoder(Encoder, ABC):
    """What a :class:`RecurrentEncoder` computes in evaluation, on the same weights.

    Args:
        encoder: The encoder.
    """

    def __init__(self, encoder: RecurrentEncoder) -> None:
        super().__init__()
        self.layers = encoder.state_shape.layers
        self.directions = encoder.directions
        self.memory_size = encoder.memory_size
        self.state_shape = encoder.state_shape

    def forward(self, embedded: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
        """Encodes a padded batch; see :meth:`Encoder.forward`."""
        outputs, finals = embedded, []
        for layer in range(self.layers):
            outputs, final = self._layer(layer, outputs, lengths)
            # (directions, batch, hidden) to (batch, directions * hidden)
            finals.append(tuple(part.transpose(0, 1).flatten(1) for part in final))
        return outputs, tuple(torch.stack(parts) for parts in zip(*finals, strict=True))

    @abstractmethod
    def _layer(self, layer: int, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
        """Runs one layer in each of its directions.

        Args:
            layer: Which layer, counted from 0.
            inputs: ``(batch, source_len, input_size)``.
            lengths: ``(batch,)``, int64.

        Returns:
            Outputs ``(batch, source_len, directions * hidden_size)``, 0 on padding, and the last state of each
            direction, each part ``(directions, batch, hidden_size)``.
        """

    @staticmethod
    def names(layer: int, directions: int) -> list[str]:
        """The ends of the names of a layer's weights, one for each direction."""
        return [f"l{layer}", f"l{layer}_reverse"][:directions]


class OnnxEncoder(GraphEncoder):
    """By ONNX's own operators, one for each layer: they take the lengths, and read backwards from each one's end.

    See the operators LSTM, GRU and RNN of ONNX, input ``sequence_lens``.

    Args:
        encoder: The encoder, with a :data:`FusedCell`.
    """

    def __init__(self, encoder: RecurrentEncoder) -> None:
        super().__init__(encoder)
        self.cell = cast(FusedCell, encoder.cell)
        self.hidden_size = encoder.memory_size // encoder.directions
        for layer in range(self.layers):
            names = self.names(layer, self.directions)
            for kind in ("weight_ih", "weight_hh"):
                self.register_buffer(
                    f"{kind}_l{layer}", torch.stack([self._reordered(encoder, f"{kind}_{name}") for name in names])
                )
            biases = [
                torch.cat([self._reordered(encoder, f"{kind}_{name}") for kind in ("bias_ih", "bias_hh")])
                for name in names
            ]
            self.register_buffer(f"bias_l{layer}", torch.stack(biases))

    def _reordered(self, encoder: RecurrentEncoder, name: str) -> Tensor:
        """A weight with its gates in ONNX's order."""
        weight: Tensor = getattr(encoder.rnn, name).detach()
        gates = weight.chunk(len(ONNX_GATES[self.cell]))
        return torch.cat([gates[which] for which in ONNX_GATES[self.cell]])

    def _layer(self, layer: int, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
        batch, length = inputs.shape[:2]
        weights = [getattr(self, f"{kind}_l{layer}") for kind in ("weight_ih", "weight_hh", "bias")]
        attributes: dict[str, _Attribute] = {
            "hidden_size": self.hidden_size,
            "direction": "bidirectional" if self.directions == 2 else "forward",
        }
        if self.cell == "gru":
            attributes["linear_before_reset"] = 1
        parts = self.state_shape.parts
        outputs, *final = torch.onnx.ops.symbolic_multi_out(
            ONNX_OPERATORS[self.cell],
            (inputs.transpose(0, 1), *weights, lengths.to(torch.int32)),
            attributes,
            dtypes=(inputs.dtype,) * (1 + parts),
            shapes=(
                (length, self.directions, batch, self.hidden_size),
                *((self.directions, batch, self.hidden_size),) * parts,
            ),
            version=ONNX_OPSET,
        )
        return outputs.permute(2, 0, 1, 3).flatten(2), tuple(final)


class TorchScriptEncoder(GraphEncoder):
    """By torch's fused calls on padded sequences.

    An LSTM is aligned (see :class:`AlignedLSTM`). Of the others the state is the output, so that the last one is found
    at each sequence's end whatever follows there; backwards each is reversed within its own length.

    Args:
        encoder: The encoder, with a :data:`FusedCell`.
    """

    def __init__(self, encoder: RecurrentEncoder) -> None:
        super().__init__(encoder)
        self.cell = cast(FusedCell, encoder.cell)
        self.rnn = cast(nn.RNNBase, encoder.rnn)

    def _layer(self, layer: int, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
        if isinstance(self.rnn, nn.LSTM):
            return AlignedLSTM(lengths, inputs.shape[1]).layer(self.rnn, layer, inputs, {})
        within = (torch.arange(inputs.shape[1], device=inputs.device) < lengths[:, None])[..., None]
        passes, lasts = [], []
        for name in self.names(layer, self.directions):
            backward = name.endswith("_reverse")
            outputs = self._run(name, reversed_within(inputs, lengths) if backward else inputs)
            lasts.append(at_ends(outputs, lengths))
            passes.append((reversed_within(outputs, lengths) if backward else outputs) * within)
        return torch.cat(passes, dim=-1), (torch.stack(lasts),)

    def _run(self, name: str, inputs: Tensor) -> Tensor:
        """One direction over whole sequences, their padding too."""
        weights = [getattr(self.rnn, f"{kind}_{name}") for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        zeros = inputs.new_zeros(1, inputs.shape[0], self.rnn.hidden_size)
        run = torch.gru if self.cell == "gru" else torch.rnn_tanh
        # arguments: has_biases, num_layers, dropout, train, bidirectional, batch_first
        outputs: Tensor = run(inputs, zeros, weights, True, 1, 0.0, False, False, True)[0]
        return outputs
