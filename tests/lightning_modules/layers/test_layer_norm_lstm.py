"""The layer-normalised LSTM against its equations, written out in plain torch."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor

from datamodules.batch import SequenceBatch
from lightning_modules.layers.decoder import LuongDecoder
from lightning_modules.layers.encoder import RecurrentEncoder
from lightning_modules.layers.initialisation import initialise
from lightning_modules.layers.layer_norm_lstm import LayerNormLSTM
from lightning_modules.nmt import AttentionNMT

SIZE, LENGTHS = 4, [6, 2, 5, 1]


def normalised(values: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
    """Section 3 of the paper: mean and deviation over the layer, of one row."""
    deviation = ((values - values.mean()).square().mean() + 1e-5).sqrt()
    return gain * (values - values.mean()) / deviation + shift


def written_out(rnn: LayerNormLSTM, name: str, sequence: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """One direction over one sequence ``(length, size)``: equations 20 to 22."""
    weights = dict(rnn.named_parameters())
    norms = {
        kind: (weights[f"norm_{kind}_{name}.weight"], weights[f"norm_{kind}_{name}.bias"])
        for kind in ("ih", "hh", "cell")
    }
    h, c = sequence.new_zeros(SIZE), sequence.new_zeros(SIZE)
    outputs = []
    for x in sequence:
        gates = normalised(weights[f"weight_ih_{name}"] @ x, *norms["ih"])
        gates = gates + normalised(weights[f"weight_hh_{name}"] @ h, *norms["hh"])
        i, f, g, o = gates[:SIZE], gates[SIZE : 2 * SIZE], gates[2 * SIZE : 3 * SIZE], gates[3 * SIZE :]
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(normalised(c, *norms["cell"]))
        outputs.append(h)
    return torch.stack(outputs), h, c


def randomised(encoder: RecurrentEncoder) -> RecurrentEncoder:
    """Gains and shifts that differ, too."""
    for parameter in encoder.double().parameters():
        torch.nn.init.normal_(parameter)
    return encoder


@pytest.mark.parametrize("lengths", [LENGTHS, [5, 5]])
def test_it_is_the_paper_s_in_both_directions_and_its_gradients_too(lengths: list[int], seed: int) -> None:
    encoder = randomised(RecurrentEncoder(3, "layer_norm_lstm", hidden_size=SIZE, layers=2))
    rnn = encoder.rnn
    assert isinstance(rnn, LayerNormLSTM)
    embedded = torch.randn(len(lengths), max(lengths), 3, dtype=torch.float64)
    memory, state = encoder(embedded, torch.tensor(lengths))
    expected_memory = torch.zeros_like(memory)
    expected_state = [torch.zeros_like(part) for part in state]
    for row, length in enumerate(lengths):
        inputs = embedded[row, :length]
        for layer in range(2):
            forward, *last = written_out(rnn, f"l{layer}", inputs)
            backward, *first = written_out(rnn, f"l{layer}_reverse", inputs.flip(0))
            inputs = torch.cat([forward, backward.flip(0)], dim=-1)
            for part, ends in enumerate(zip(last, first, strict=True)):
                expected_state[part][layer, row] = torch.cat(ends)
        expected_memory[row, :length] = inputs
    torch.testing.assert_close(memory, expected_memory, rtol=0, atol=1e-10)
    for part, expected_part in zip(state, expected_state, strict=True):
        torch.testing.assert_close(part, expected_part, rtol=0, atol=1e-10)
    weigh = torch.randn_like(memory)
    parameters = list(encoder.parameters())
    found = torch.autograd.grad((memory * weigh).sum() + state[1].sum(), parameters)
    wanted = torch.autograd.grad((expected_memory * weigh).sum() + expected_state[1].sum(), parameters)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-9)


def test_the_scale_of_a_matrix_does_not_matter(seed: int) -> None:
    """Section 5.1 of the paper: what is normalised knows no factor."""
    encoder = RecurrentEncoder(3, "layer_norm_lstm", hidden_size=SIZE).double()
    embedded, lengths = torch.randn(4, 6, 3, dtype=torch.float64) * 9, torch.tensor(LENGTHS)
    before, _ = encoder(embedded, lengths)
    with torch.no_grad():
        dict(encoder.named_parameters())["rnn.weight_ih_l0"].mul_(1000.0)
    after, _ = encoder(embedded, lengths)
    torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-3)


def test_it_begins_with_gains_of_1_and_open_forget_gates(seed: int) -> None:
    encoder = RecurrentEncoder(3, "layer_norm_lstm", hidden_size=SIZE)
    initialise(encoder, seed)
    weights = dict(encoder.named_parameters())
    for name in ("l0", "l0_reverse"):
        for kind in ("ih", "hh", "cell"):
            assert (weights[f"rnn.norm_{kind}_{name}.weight"] == 1).all()
        shift = weights[f"rnn.norm_ih_{name}.bias"].tolist()
        assert shift == [0.0] * SIZE + [1.0] * SIZE + [0.0] * 2 * SIZE
        assert (weights[f"rnn.norm_hh_{name}.bias"] == 0).all()
        recurrent = weights[f"rnn.weight_hh_{name}"][:SIZE]
        torch.testing.assert_close(recurrent @ recurrent.t(), torch.eye(SIZE))


def test_a_model_of_it_learns_to_copy(seed: int) -> None:
    torch.manual_seed(seed)
    encoder = partial(RecurrentEncoder, cell="layer_norm_lstm", hidden_size=24)
    decoder = partial(LuongDecoder, cell="layer_norm_lstm", hidden_size=24)
    model = AttentionNMT(12, 12, encoder, decoder, embedding_size=16)
    values, lengths = torch.randint(4, 12, (32, 5)), torch.randint(2, 6, (32,))
    sequences = [row[:length].tolist() for row, length in zip(values, lengths, strict=True)]
    batch = SequenceBatch.from_pairs(sequences, sequences, torch.arange(32))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(60):
        loss, _, tokens = model.loss(batch)
        optimizer.zero_grad()
        (loss / tokens).backward()
        optimizer.step()
    assert float(loss) / tokens < 0.2
