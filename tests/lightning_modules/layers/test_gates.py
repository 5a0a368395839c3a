"""Gates that are kept step by step, against the equations of the cells."""

import pytest
import torch

from lightning_modules.layers.encoder import RecurrentEncoder
from lightning_modules.layers.gates import StepRecord
from lightning_modules.layers.recurrent import Cell, RecurrentStack


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn", "layer_norm_lstm"])
def test_the_states_are_those_of_the_fused_run(cell: Cell, seed: int) -> None:
    encoder = RecurrentEncoder(3, cell=cell, hidden_size=4, layers=2).eval()
    inputs, lengths = torch.randn(1, 5, 3), torch.tensor([5])
    memory, _ = encoder(inputs, lengths)
    with StepRecord() as record, torch.no_grad():
        again, _ = encoder.stepwise(inputs, lengths)
    torch.testing.assert_close(again, memory)
    series = record.series()
    assert list(series) == [(0, name) for name in ("l0", "l0_reverse", "l1", "l1_reverse")]
    top = torch.cat([series[0, "l1"]["hidden"], series[0, "l1_reverse"]["hidden"]], dim=-1)
    torch.testing.assert_close(top[:, 0], memory[0])


def test_the_gates_make_the_next_state(seed: int) -> None:
    for cell in ("lstm", "gru", "layer_norm_lstm"):
        encoder = RecurrentEncoder(3, cell=cell, hidden_size=4, bidirectional=False).eval()  # type: ignore[arg-type]
        with StepRecord() as record, torch.no_grad():
            encoder.stepwise(torch.randn(2, 6, 3), torch.tensor([6, 6]))
        ((_, kept),) = record.series().items()
        zeros = torch.zeros(1, 2, 4)
        hidden, before = kept["hidden"], torch.cat([zeros, kept["hidden"][:-1]])
        if cell == "gru":
            made = (1 - kept["update"]) * kept["candidate"] + kept["update"] * before
            torch.testing.assert_close(made, hidden)
        else:
            cells = torch.cat([zeros, kept["cell"][:-1]])
            torch.testing.assert_close(kept["forget"] * cells + kept["input"] * kept["candidate"], kept["cell"])
        if cell == "lstm":
            torch.testing.assert_close(kept["output"] * kept["cell"].tanh(), hidden)


def test_nothing_is_kept_outside(seed: int) -> None:
    stack = RecurrentStack("gru", 3, 0, 4)
    weights = stack.sample_weights()
    with StepRecord() as record:
        stack.step(stack.project(torch.randn(1, 3), weights), None, (torch.zeros(1, 1, 4),), weights)
    stack.step(stack.project(torch.randn(1, 3), weights), None, (torch.zeros(1, 1, 4),), weights)
    assert record.series()[0, "l0"]["hidden"].shape == (1, 1, 4)
