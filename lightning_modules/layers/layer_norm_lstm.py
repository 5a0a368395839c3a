"""An LSTM with layer normalisation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from lightning_modules.kernels.deferred_gradients import GatheredGradients
from lightning_modules.kernels.dropout import Dropout
from lightning_modules.kernels.linear import linear
from lightning_modules.layers.padding import at_ends, reversed_within

State = tuple[Tensor, ...]
"""h and c."""


class LayerNormLSTM(nn.Module):
    """An LSTM whose sums are normalised over each layer (Ba, Kiros and Hinton 2016, equations 20 to 22).

    ``(i, f, g, o) = LN(W_x x_t) + LN(W_h h_(t-1))``, ``c_t = sigmoid(f) c_(t-1) + sigmoid(i) tanh(g)`` and
    ``h_t = sigmoid(o) tanh(LN(c_t))``. The first two normalise all four gates together, and each has its own gain and
    shift; the paper's b, which is added to both shifts, is left out as it adds nothing to them. The gates have torch's
    order. There is no fused call: the products of the inputs are made at once, the rest is a loop.

    Its matrices have the names and shapes of an ``nn.LSTM``'s.

    Args:
        input_size: Width of the inputs.
        hidden_size: Width of each direction.
        num_layers: Number of layers.
        bidirectional: Run in both directions.
        dropout: Dropout between layers.
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, bidirectional: bool = False, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.between = Dropout(dropout)
        directions = ("", "_reverse") if bidirectional else ("",)
        self._names = [[f"l{layer}{direction}" for direction in directions] for layer in range(num_layers)]
        for layer, names in enumerate(self._names):
            width = len(directions) * hidden_size if layer else input_size
            for name in names:
                self._add(name, width)

    def _add(self, name: str, input_size: int) -> None:
        """The parameters of one direction of a layer; it has no biases beside the shifts."""
        for kind, width in (("ih", input_size), ("hh", self.hidden_size)):
            weight = torch.empty(4 * self.hidden_size, width)
            self.register_parameter(f"weight_{kind}_{name}", nn.Parameter(nn.init.xavier_uniform_(weight)))
            self.register_parameter(f"bias_{kind}_{name}", None)
            self.add_module(f"norm_{kind}_{name}", nn.LayerNorm(4 * self.hidden_size))
        self.add_module(f"norm_cell_{name}", nn.LayerNorm(self.hidden_size))

    def forward(
        self, inputs: Tensor, state: State | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Runs whole sequences.

        Args:
            inputs: ``(batch, length, input_size)``.
            state: h and c, each ``(layers * directions, batch, hidden_size)``; zeros if not given.
            lengths: ``(batch,)``, int64, at least 1, where the sequences are padded; None where they are not.

        Returns:
            Outputs ``(batch, length, directions * hidden_size)``, 0 on padding, and each sequence's last h and c, as
            the state.
        """
        outputs = inputs
        lasts: list[State] = []
        for layer, names in enumerate(self._names):
            below = self.between(outputs) if layer else outputs
            passes = []
            for name in names:
                before = tuple(part[len(lasts)] for part in state) if state is not None else self._zeros(inputs)
                made, last = self._pass(below, before, lengths, name)
                passes.append(made)
                lasts.append(last)
            outputs = torch.cat(passes, dim=-1) if len(passes) > 1 else passes[0]
        return outputs, tuple(torch.stack(parts) for parts in zip(*lasts, strict=True))

    def step_of(self, name: str) -> Callable[[Tensor, Tensor, State], State]:
        """One step of one direction of a layer, made of (projected inputs, projected hidden state, state).

        Args:
            name: The end of the names of its weights: ``l0``, ``l0_reverse``, ``l1`` and so on.
        """
        before, _, _ = self._norms(name)
        step = self._step_of(name)
        return lambda inputs, recurrent, state: step(before(inputs), recurrent, state)

    def normalised(self, name: str) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Projected inputs and projected hidden state as one direction of a layer adds them up.

        Args:
            name: As that of :meth:`step_of`.
        """
        before, hidden, _ = self._norms(name)
        return lambda inputs, recurrent: (before(inputs), hidden(recurrent))

    def _step_of(self, name: str) -> Callable[[Tensor, Tensor, State], State]:
        """The same with inputs that are normalised already."""
        _, hidden, cell = self._norms(name)
        return partial(_step, hidden, cell)

    def _pass(self, inputs: Tensor, state: State, lengths: Tensor | None, name: str) -> tuple[Tensor, State]:
        """One direction of a layer; padding, which comes last in either direction, changes nothing before it."""
        backward = name.endswith("_reverse")
        step, (before, _, _) = self._step_of(name), self._norms(name)
        weight = getattr(self, f"weight_hh_{name}")
        projected = before(
            linear(_reversed(inputs, lengths) if backward else inputs, getattr(self, f"weight_ih_{name}"))
        )
        states = []
        with GatheredGradients():
            for gates in projected.unbind(1):
                state = step(gates, linear(state[0], weight), state)
                states.append(state)
        outputs, cells = (torch.stack(parts, dim=1) for parts in zip(*states, strict=True))
        if lengths is not None:
            state = at_ends(outputs, lengths), at_ends(cells, lengths)
            outputs = outputs * (torch.arange(outputs.shape[1], device=lengths.device) < lengths[:, None])[..., None]
        return _reversed(outputs, lengths) if backward else outputs, state

    def _zeros(self, inputs: Tensor) -> State:
        return (inputs.new_zeros(len(inputs), self.hidden_size),) * 2

    def _norms(self, name: str) -> tuple[nn.LayerNorm, nn.LayerNorm, nn.LayerNorm]:
        """Those of the projected inputs, the projected hidden state, and the cell."""
        inputs, hidden, cell = (getattr(self, f"norm_{kind}_{name}") for kind in ("ih", "hh", "cell"))
        return inputs, hidden, cell


def _step(
    hidden_norm: Callable[[Tensor], Tensor],
    cell_norm: Callable[[Tensor], Tensor],
    inputs: Tensor,
    recurrent: Tensor,
    state: State,
) -> State:
    """The next h and c, of the normalised inputs and the projected hidden state, each ``(batch, 4 * hidden_size)``."""
    i, f, g, o = (inputs + hidden_norm(recurrent)).chunk(4, dim=-1)
    cell = torch.addcmul(f.sigmoid() * state[1], i.sigmoid(), g.tanh())
    return o.sigmoid() * cell_norm(cell).tanh(), cell


def _reversed(values: Tensor, lengths: Tensor | None) -> Tensor:
    return values.flip(1) if lengths is None else reversed_within(values, lengths)
