"""The encoders: a padded batch against each sentence alone, and the fused one against the one from scratch."""

import itertools

import pytest
import torch
from torch import nn

from lightning_modules.kernels.dropout import Dropout
from lightning_modules.layers.encoder import EncoderWithEmbeddings, RecurrentEncoder, StepwiseEncoder
from lightning_modules.layers.padding import reversed_within
from lightning_modules.layers.recurrent import CELLS, Cell

LENGTHS = [7, 2, 5, 1]

every_kind = pytest.mark.parametrize(
    ("cell", "bidirectional", "layers"), list(itertools.product(CELLS, [True, False], [1, 2, 3]))
)


@every_kind
def test_batch_equals_single_sentences(cell: Cell, bidirectional: bool, layers: int, seed: int) -> None:
    encoder = RecurrentEncoder(3, cell, hidden_size=4, layers=layers, bidirectional=bidirectional).double()
    embedded = torch.randn(len(LENGTHS), max(LENGTHS), 3, dtype=torch.float64)
    memory, state = encoder(embedded, torch.tensor(LENGTHS))
    assert memory.shape == (len(LENGTHS), max(LENGTHS), encoder.memory_size)
    # A layer normalisation divides by a deviation that may be tiny: of 400 seeds the largest error was 7e-13.
    bound = 1e-10 if cell == "layer_norm_lstm" else 1e-12
    for row, length in enumerate(LENGTHS):
        alone, alone_state = encoder(embedded[row : row + 1, :length], torch.tensor([length]))
        torch.testing.assert_close(memory[row, :length], alone[0], rtol=0, atol=bound)
        assert (memory[row, length:] == 0).all()
        for part, alone_part in zip(state, alone_state, strict=True):
            torch.testing.assert_close(part[:, row], alone_part[:, 0], rtol=0, atol=bound)


def test_embeddings_lie_beside_what_is_encoded(seed: int) -> None:
    encoder = EncoderWithEmbeddings(3).double()
    embedded = torch.randn(len(LENGTHS), max(LENGTHS), 3, dtype=torch.float64)
    memory, state = encoder(embedded, torch.tensor(LENGTHS))
    within, within_state = encoder.encoder(embedded, torch.tensor(LENGTHS))
    assert memory.shape[2] == encoder.memory_size == encoder.encoder.memory_size + 3
    assert encoder.state_shape == encoder.encoder.state_shape
    for row, length in enumerate(LENGTHS):
        assert torch.equal(memory[row, :length], torch.cat([within[row, :length], embedded[row, :length]], dim=1))
        assert (memory[row, length:] == 0).all()
    assert all(torch.equal(*parts) for parts in zip(state, within_state, strict=True))


@pytest.mark.parametrize("lengths", [LENGTHS, [5, 5]])
@every_kind
def test_from_scratch_equals_fused(cell: Cell, bidirectional: bool, layers: int, lengths: list[int], seed: int) -> None:
    """Outputs, final state and the gradients of both, with the weights of one loaded into the other."""
    fused = RecurrentEncoder(3, cell, hidden_size=4, layers=layers, bidirectional=bidirectional).double()
    stepwise = StepwiseEncoder(3, cell, hidden_size=4, layers=layers, bidirectional=bidirectional).double()
    stepwise.load_state_dict(fused.state_dict())
    embedded = torch.randn(len(lengths), max(lengths), 3, dtype=torch.float64)
    weigh_memory = torch.randn(len(lengths), max(lengths), fused.memory_size, dtype=torch.float64)
    weigh_state = torch.randn(fused.state_shape.parts, layers, len(lengths), fused.memory_size, dtype=torch.float64)

    results = []
    for encoder in (fused, stepwise):
        inputs = embedded.clone().requires_grad_()
        memory, state = encoder(inputs, torch.tensor(lengths))
        ((memory * weigh_memory).sum() + (torch.stack(state) * weigh_state).sum()).backward()
        gradients = [inputs.grad, *(parameter.grad for parameter in encoder.parameters())]
        results.append([memory, *state, *gradients])
    for one, other in zip(*results, strict=True):
        assert one is not None
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)


@every_kind
def test_recurrent_dropout_is_in_both(cell: Cell, bidirectional: bool, layers: int, seed: int) -> None:
    """From one state of the generator both leave out the same."""
    fused, stepwise = (
        kind(3, cell, hidden_size=4, layers=layers, bidirectional=bidirectional, recurrent_dropout=0.5).double()
        for kind in (RecurrentEncoder, StepwiseEncoder)
    )
    stepwise.load_state_dict(fused.state_dict())
    embedded = torch.randn(len(LENGTHS), max(LENGTHS), 3, dtype=torch.float64)

    def memory(encoder: RecurrentEncoder, draws: int) -> torch.Tensor:
        torch.manual_seed(draws)
        return encoder(embedded, torch.tensor(LENGTHS))[0]

    first, other = memory(fused, seed), memory(fused, seed + 1)
    torch.testing.assert_close(memory(stepwise, seed), first, rtol=0, atol=1e-12)
    assert not torch.allclose(first, other)
    whole = memory(fused.eval(), seed)
    assert not torch.allclose(first, whole)
    fused.recurrent_dropout.p = 0.0
    assert torch.equal(memory(fused.train(), seed), whole)


def test_dropout_between_layers_is_in_both(seed: int) -> None:
    """With all of the lower layer dropped, what remains does not depend on the input."""
    for kind in (RecurrentEncoder, StepwiseEncoder):
        encoder = kind(3, "gru", hidden_size=4, layers=2, dropout=0.5)
        encoder.rnn.dropout, encoder.between = 1.0, Dropout(1.0)
        _, (one,) = encoder(torch.randn(1, 5, 3), torch.tensor([5]))
        _, (other,) = encoder(torch.randn(1, 5, 3), torch.tensor([5]))
        assert torch.equal(one[1], other[1])
        assert not torch.equal(one[0], other[0])


def test_each_sequence_is_reversed_within_its_length() -> None:
    values = torch.tensor([[1, 2, 3, 4], [1, 2, 0, 0], [1, 0, 0, 0], [1, 2, 3, 0]])[:, :, None]
    expected = [[4, 3, 2, 1], [2, 1, 0, 0], [1, 0, 0, 0], [3, 2, 1, 0]]
    assert reversed_within(values, torch.tensor([4, 2, 1, 3])).squeeze(-1).tolist() == expected


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_state_is_forward_at_the_end_beside_backward_at_the_start(cell: Cell, seed: int) -> None:
    """Each layer's state, from two one-directional runs with the same weights, written out."""
    encoder = RecurrentEncoder(3, cell, hidden_size=4, layers=2, bidirectional=True).double()
    length = 6
    sequence = torch.randn(1, length, 3, dtype=torch.float64)
    memory, state = encoder(sequence, torch.tensor([length]))
    inputs = sequence
    for layer in range(2):
        directions, finals = [], []
        for suffix in ("", "_reverse"):
            single = type(encoder.rnn)(inputs.shape[-1], 4, batch_first=True).double()
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                setattr(single, f"{kind}_l0", nn.Parameter(getattr(encoder.rnn, f"{kind}_l{layer}{suffix}").detach()))
            outputs, final = single(inputs.flip(1) if suffix else inputs)
            directions.append(outputs.flip(1) if suffix else outputs)
            finals.append(final if isinstance(final, tuple) else (final,))
        for part, forward, backward in zip(state, finals[0], finals[1], strict=True):
            torch.testing.assert_close(part[layer], torch.cat([forward[0], backward[0]], dim=-1))
        inputs = torch.cat(directions, dim=-1)
    torch.testing.assert_close(memory, inputs)
