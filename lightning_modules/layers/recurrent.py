"""A stack of recurrent layers that runs fused over a sequence, or one step at a time, on the same weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call

from lightning_modules.kernels.dropout import Dropout
from lightning_modules.kernels.graph_form import GraphForm
from lightning_modules.kernels.linear import joint_linear, linear
from lightning_modules.layers.gates import Cell, State, Step, StepRecord
from lightning_modules.layers.layer_norm_lstm import LayerNormLSTM
from lightning_modules.layers.state import BatchWeights, DroppedWeights, StateShape, expand_rows

CELLS: dict[Cell, Callable[..., nn.RNNBase | LayerNormLSTM]] = {
    "lstm": partial(nn.LSTM, batch_first=True),
    "gru": partial(nn.GRU, batch_first=True),
    "rnn": partial(nn.RNN, batch_first=True),
    "layer_norm_lstm": LayerNormLSTM,
}
STATE_PARTS: dict[Cell, int] = {"lstm": 2, "gru": 1, "rnn": 1, "layer_norm_lstm": 2}


def lstm_step(inputs: Tensor, recurrent: Tensor, state: State) -> State:
    """One step of an LSTM (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000).

    ``c' = f * c + i * g`` and ``h' = o * tanh(c')``, with i, f and o the sigmoid of the sum of what is given, g its
    tanh.

    Args:
        inputs: ``(batch, 4 * size)``, the projected input with its bias, gates in the order i, f, g, o.
        recurrent: The projected hidden state with its bias, likewise.
        state: h and c, each ``(batch, size)``.

    Returns:
        The next h and c.
    """
    _, cell = state
    i, f, g, o = (inputs + recurrent).chunk(4, dim=-1)
    cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
    return o.sigmoid() * cell.tanh(), cell


def gru_step(inputs: Tensor, recurrent: Tensor, state: State) -> State:
    """One step of a GRU (Cho et al. 2014), with the reset gate after the recurrent projection, as in cuDNN.

    Args:
        inputs: ``(batch, 3 * size)``, the projected input with its bias, gates in the order r, z, n.
        recurrent: The projected hidden state with its bias, likewise.
        state: h, ``(batch, size)``.

    Returns:
        The next h.
    """
    (hidden,) = state
    r_in, z_in, n_in = inputs.chunk(3, dim=-1)
    r_rec, z_rec, n_rec = recurrent.chunk(3, dim=-1)
    z = (z_in + z_rec).sigmoid()
    n = (n_in + (r_in + r_rec).sigmoid() * n_rec).tanh()
    return (n + z * (hidden - n),)


def rnn_step(inputs: Tensor, recurrent: Tensor, _state: State) -> State:
    """One step of a plain RNN with tanh (Elman 1990).

    Args:
        inputs: ``(batch, size)``, the projected input with its bias.
        recurrent: The projected hidden state with its bias, likewise.
        _state: h, ``(batch, size)``; it is in the projection alone.

    Returns:
        The next h.
    """
    return ((inputs + recurrent).tanh(),)


STEPS: dict[Cell, Step] = {"lstm": lstm_step, "gru": gru_step, "rnn": rnn_step}
"""Those that are a function of what they are given alone."""


def step_of(rnn: nn.RNNBase | LayerNormLSTM, cell: Cell, name: str) -> Step:
    """One step of one direction of a layer.

    Args:
        rnn: The layers.
        cell: Their kind.
        name: The end of the names of its weights, as ``l0_reverse``.
    """
    step = rnn.step_of(name) if isinstance(rnn, LayerNormLSTM) else STEPS[cell]
    record = StepRecord.current()
    if record is None:
        return step
    normalised = rnn.normalised(name) if isinstance(rnn, LayerNormLSTM) else None
    return record.keeping(step, cell, rnn, name, normalised)


_ADDING: tuple[Cell, ...] = ("lstm", "rnn")
"""Cells that do nothing to the projected hidden state but add it to the projected input: so both can be one product."""


class RecurrentDropout(Dropout):
    """DropConnect on hidden-to-hidden matrices (Wan et al. 2013; of LSTMs Merity et al. 2018, section 2).

    One draw is for a whole batch, all its steps. So the recurrence still runs fused, and costs no more.

    Args:
        p: Probability of a value to be left out in training; the others are divided by ``1 - p``.
    """

    def sample_weights(self, rnn: nn.RNNBase | LayerNormLSTM) -> DroppedWeights:
        """Thins out all hidden-to-hidden matrices; none in evaluation.

        Args:
            rnn: Whose.
        """
        if not (self.training and self.p):
            return {}
        return {name: self(weight) for name, weight in rnn.named_parameters() if name.startswith("weight_hh")}


class RecurrentStack(nn.Module):
    """One-directional recurrent layers: fused over a whole sequence, or step by step.

    Stepwise, the first ``sequence_size`` columns of the input are known for all steps beforehand (the embeddings of
    the target under teacher forcing) and projected at once by :meth:`project`; the rest (a context, a fed-back
    output) becomes known at each step.

    Args:
        cell: Kind of recurrent cell.
        sequence_size: Width of the part of the input that is known for all steps.
        step_size: Width of the part of the input that becomes known at each step.
        hidden_size: Width of each layer.
        layers: Number of layers.
        dropout: Dropout between layers.
        recurrent_dropout: Dropout of the hidden-to-hidden matrices; see :class:`RecurrentDropout`.
    """

    def __init__(
        self,
        cell: Cell,
        sequence_size: int,
        step_size: int,
        hidden_size: int,
        layers: int = 1,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.rnn = CELLS[cell](
            sequence_size + step_size,
            hidden_size,
            layers,
            dropout=dropout if layers > 1 else 0.0,
        )
        self.cell: Cell = cell
        self.sizes = [sequence_size, step_size]
        self.dropout = Dropout(dropout)
        self.recurrent_dropout = RecurrentDropout(recurrent_dropout)
        self.state_shape = StateShape(STATE_PARTS[cell], layers, hidden_size)

    def sample_weights(self) -> BatchWeights:
        """The weights of a batch, some left out; see :meth:`RecurrentDropout.sample_weights`."""
        of_sequence, of_step = self._weights(0, "ih")[0].split(self.sizes, dim=1)
        return BatchWeights(of_sequence, of_step, self.recurrent_dropout.sample_weights(self.rnn))

    def forward(self, inputs: Tensor, state: State, weights: BatchWeights) -> tuple[Tensor, State]:
        """Runs the whole sequence in one fused call.

        Args:
            inputs: ``(batch, target_len, sequence_size + step_size)``.
            state: Each part ``(layers, batch, hidden_size)``.
            weights: From :meth:`sample_weights`.

        Returns:
            Outputs of the last layer ``(batch, target_len, hidden_size)``, and the last state.
        """
        outputs, last = functional_call(
            self.rnn, dict(weights.dropped), (inputs, state if len(state) > 1 else state[0])
        )
        return outputs, last if isinstance(last, tuple) else (last,)

    def project(self, inputs: Tensor, weights: BatchWeights) -> Tensor:
        """The first layer's projection of what is known of all steps beforehand.

        Args:
            inputs: ``(batch, target_len, sequence_size)``, or ``(batch, sequence_size)``.
            weights: From :meth:`sample_weights`.

        Returns:
            As the input, with ``gates * hidden_size`` in the last dimension.
        """
        return linear(inputs, weights.sequence_weight, self._weights(0, "ih")[1])

    def step(
        self,
        projected: Tensor,
        extra: Tensor | None,
        state: State,
        weights: BatchWeights,
        rows: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """Runs one step.

        Args:
            projected: ``(batch, gates * hidden_size)``, from :meth:`project`.
            extra: ``(batch, step_size)``, the part of the input known only now; None where its size is 0.
            state: Each part ``(layers, batch, hidden_size)``.
            weights: From :meth:`sample_weights`.
            rows: ``(batch,)``, which row of the extra part and the state each of the batch has, where several have the
                same one: what is made of these alone is made once. None where each has its own.

        Returns:
            Output of the last layer ``(batch, hidden_size)``, and the next state.
        """
        layers: list[State] = []
        for layer, before in enumerate(zip(*(_unstacked(part) for part in state), strict=True)):
            if layer:
                below = self.dropout(layers[-1][0])
                weight, bias = self._weights(layer, "ih")
                projected, extra = linear(below, weight, bias), None
            elif extra is not None and self.cell not in _ADDING:
                projected, extra = projected + expand_rows(rows, linear(extra, weights.step_weight)), None
            recurrent = self._recurrent(layer, extra, before[0], weights)
            own = tuple(expand_rows(rows, part) for part in before)
            step = step_of(self.rnn, self.cell, f"l{layer}")
            layers.append(step(projected, expand_rows(rows, recurrent), own))
        return layers[-1][0], tuple(_stacked(parts) for parts in zip(*layers, strict=True))

    def _recurrent(self, layer: int, extra: Tensor | None, hidden: Tensor, weights: BatchWeights) -> Tensor:
        """The projection of a layer's hidden state, and of what else comes at this step."""
        weight, bias = self._weights(layer, "hh")
        weight = weights.dropped.get(f"weight_hh_l{layer}", weight)
        if extra is None:
            return linear(hidden, weight, bias)
        return joint_linear((extra, hidden), (weights.step_weight, weight), bias)

    def _weights(self, layer: int, kind: Literal["ih", "hh"]) -> tuple[Tensor, Tensor | None]:
        return getattr(self.rnn, f"weight_{kind}_l{layer}"), getattr(self.rnn, f"bias_{kind}_l{layer}")


def _stacked(parts: tuple[Tensor, ...]) -> Tensor:
    """``torch.stack``, which would copy a single part."""
    return torch.stack(parts) if len(parts) > 1 else parts[0][None]


def _unstacked(part: Tensor) -> tuple[Tensor, ...]:
    """``part.unbind(0)``, whose gradient would copy a single one."""
    return part.unbind(0) if GraphForm.current() is not None or len(part) > 1 else (part.squeeze(0),)
