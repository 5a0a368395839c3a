"""Recurrent layers that no format has an operator of, as loops within a graph: as many steps as a batch has."""

from __future__ import annotations

from abc import abstractmethod
from typing import cast

import torch
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan
from torch.nn.functional import linear

from experiments.export.layers import GraphEncoder
from experiments.export.tracing import traced
from lightning_modules.layers.encoder import RecurrentEncoder
from lightning_modules.layers.layer_norm_lstm import LayerNormLSTM
from lightning_modules.layers.padding import at_ends, reversed_within
from lightning_modules.layers.recurrent import State


class LoopedEncoder(GraphEncoder):
    """A :class:`LayerNormLSTM`, step by step.

    Padding comes last in either direction, and changes nothing before it.

    Args:
        encoder: The encoder, with such a cell.
    """

    def __init__(self, encoder: RecurrentEncoder) -> None:
        super().__init__(encoder)
        self.rnn = cast(LayerNormLSTM, encoder.rnn)

    def _layer(self, layer: int, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
        within = (torch.arange(inputs.shape[1], device=inputs.device) < lengths[:, None])[..., None]
        passes, lasts = [], []
        for name in self.names(layer, self.directions):
            backward = name.endswith("_reverse")
            read = reversed_within(inputs, lengths) if backward else inputs
            projected = linear(read, getattr(self.rnn, f"weight_ih_{name}"))
            # (source_len, batch, hidden_size) to (batch, source_len, hidden_size)
            hidden, cell = (part.transpose(0, 1) for part in self._loop(name, projected.transpose(0, 1)))
            lasts.append((at_ends(hidden, lengths), at_ends(cell, lengths)))
            passes.append((reversed_within(hidden, lengths) if backward else hidden) * within)
        return torch.cat(passes, dim=-1), tuple(torch.stack(parts) for parts in zip(*lasts, strict=True))

    @abstractmethod
    def _loop(self, name: str, projected: Tensor) -> State:
        """Runs one direction of a layer from zeros, padding too.

        Args:
            name: The end of the names of its weights.
            projected: Projected inputs, ``(source_len, batch, 4 * hidden_size)``.

        Returns:
            h and c of all steps, each ``(source_len, batch, hidden_size)``.
        """


class OnnxLoop(LoopedEncoder):
    """By ONNX's operator Scan.

    Args:
        encoder: As that of :class:`LoopedEncoder`.
    """

    def _loop(self, name: str, projected: Tensor) -> State:
        step = _Step(self.rnn, name)

        def body(state: State, inputs: Tensor) -> tuple[State, State]:
            after = step(inputs, *state)
            return after, tuple(part.clone() for part in after)  # which may not be the state itself

        zeros = projected.new_zeros(projected.shape[1], self.rnn.hidden_size)
        _, (hidden, cell) = scan(body, (zeros, zeros.clone()), projected)
        return hidden, cell


class TorchScriptLoop(LoopedEncoder):
    """By a loop of TorchScript over a step that is traced.

    Args:
        encoder: As that of :class:`LoopedEncoder`.
    """

    def __init__(self, encoder: RecurrentEncoder) -> None:
        super().__init__(encoder)
        batch = 2
        sizes = (4 * self.rnn.hidden_size, self.rnn.hidden_size, self.rnn.hidden_size)
        examples = tuple(torch.zeros(batch, size) for size in sizes)
        self.loops = nn.ModuleDict()
        for layer in range(self.layers):
            for name in self.names(layer, self.directions):
                step = traced(_Step(self.rnn, name), examples)
                self.loops[name] = torch.jit.script(_Loop(step, self.rnn.hidden_size))

    def _loop(self, name: str, projected: Tensor) -> State:
        states: State = self.loops[name](projected)
        return states


class _Step(nn.Module):
    """One step of one direction of a layer.

    Args:
        rnn: The layers.
        name: The end of the names of its weights.
    """

    def __init__(self, rnn: LayerNormLSTM, name: str) -> None:
        super().__init__()
        self.rnn = rnn
        self.name = name

    def forward(self, inputs: Tensor, hidden: Tensor, cell: Tensor) -> State:
        """The next h and c, of projected inputs ``(batch, 4 * hidden_size)``."""
        recurrent = linear(hidden, getattr(self.rnn, f"weight_hh_{self.name}"))
        return self.rnn.step_of(self.name)(inputs, recurrent, (hidden, cell))


class _Loop(nn.Module):
    """All steps, as TorchScript reads it: by its source, whose types are torch's own for it.

    Args:
        step: Makes the next h and c.
        hidden_size: Their width.
    """

    def __init__(self, step: nn.Module, hidden_size: int) -> None:
        super().__init__()
        self.step = step
        self.hidden_size = hidden_size

    def forward(self, projected: Tensor) -> tuple[Tensor, Tensor]:
        """See :meth:`LoopedEncoder._loop`."""
        hidden = projected.new_zeros(projected.size(1), self.hidden_size)
        cell = projected.new_zeros(projected.size(1), self.hidden_size)
        hiddens: list[Tensor] = []
        cells: list[Tensor] = []
        for inputs in projected.unbind(0):
            hidden, cell = self.step(inputs, hidden, cell)
            hiddens.append(hidden)
            cells.append(cell)
        return torch.stack(hiddens), torch.stack(cells)
