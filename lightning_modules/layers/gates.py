"""The gates of recurrent cells, kept step by step for whoever wants to look at them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from lightning_modules.kernels.scope import Scope

Cell = Literal["lstm", "gru", "rnn", "layer_norm_lstm"]
State = tuple[Tensor, ...]

Step = Callable[[Tensor, Tensor, State], State]
"""One step, made of (projected inputs, projected hidden state, state)."""

Normalised = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Projected inputs and projected hidden state as a cell adds them up."""


def lstm_gates_of(inputs: Tensor, recurrent: Tensor) -> dict[str, Tensor]:
    """Those of an LSTM (Hochreiter and Schmidhuber 1997; Gers et al. 2000), each ``(batch, size)``.

    Args:
        inputs: ``(batch, 4 * size)``, the projected input with its bias, gates in the order i, f, g, o.
        recurrent: The projected hidden state with its bias, likewise.
    """
    i, f, g, o = (inputs + recurrent).chunk(4, dim=-1)
    return {"input": i.sigmoid(), "forget": f.sigmoid(), "candidate": g.tanh(), "output": o.sigmoid()}


def gru_gates_of(inputs: Tensor, recurrent: Tensor) -> dict[str, Tensor]:
    """Those of a GRU (Cho et al. 2014), each ``(batch, size)``.

    Args:
        inputs: ``(batch, 3 * size)``, the projected input with its bias, gates in the order r, z, n.
        recurrent: The projected hidden state with its bias, likewise.
    """
    r_in, z_in, n_in = inputs.chunk(3, dim=-1)
    r_rec, z_rec, n_rec = recurrent.chunk(3, dim=-1)
    reset = (r_in + r_rec).sigmoid()
    return {"reset": reset, "update": (z_in + z_rec).sigmoid(), "candidate": (n_in + reset * n_rec).tanh()}


def no_gates(_inputs: Tensor, _recurrent: Tensor) -> dict[str, Tensor]:
    """Those of a plain RNN, which has none."""
    return {}


GATES: dict[Cell, Callable[[Tensor, Tensor], dict[str, Tensor]]] = {
    "lstm": lstm_gates_of,
    "gru": gru_gates_of,
    "rnn": no_gates,
    "layer_norm_lstm": lstm_gates_of,
}


class StepRecord(Scope):
    """Keeps states and gates of each recurrent step that is run within it; fused calls have no steps, and leave none.

    ``with StepRecord() as record: ...``
    """

    def __init__(self) -> None:
        self._steps: dict[tuple[int, str], list[dict[str, Tensor]]] = {}
        self._layers: list[nn.Module] = []

    def keeping(self, step: Step, cell: Cell, rnn: nn.Module, name: str, normalised: Normalised | None = None) -> Step:
        """The same step, which leaves what it made here.

        Args:
            step: One step of one direction of a layer.
            cell: Kind of recurrent cell.
            rnn: The layers.
            name: The end of the names of the weights, as ``l0_reverse``.
            normalised: What is done to the two projections before they are added; None for nothing.
        """
        if not any(rnn is each for each in self._layers):
            self._layers.append(rnn)
        number = next(index for index, each in enumerate(self._layers) if each is rnn)
        kept = self._steps.setdefault((number, name), [])

        def kept_step(inputs: Tensor, recurrent: Tensor, state: State) -> State:
            following = step(inputs, recurrent, state)
            added = (inputs, recurrent) if normalised is None else normalised(inputs, recurrent)
            cells = {"cell": following[1]} if len(following) > 1 else {}
            kept.append({"hidden": following[0], **cells, **GATES[cell](*added)})
            return following

        return kept_step

    def series(self) -> dict[tuple[int, str], dict[str, Tensor]]:
        """What was kept, in the order of the sequence, also of a backward direction.

        Returns:
            By the number of the stack of layers and the end of its weights' names: ``hidden``, ``cell`` where there is
            one, and the gates by name, each ``(steps, batch, size)``.
        """
        return {key: _stacked(steps, key[1].endswith("_reverse")) for key, steps in self._steps.items()}


def _stacked(steps: list[dict[str, Tensor]], backward: bool) -> dict[str, Tensor]:
    ordered = steps[::-1] if backward else steps
    return {name: torch.stack([each[name] for each in ordered]) for name in ordered[0]}
