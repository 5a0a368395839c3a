"""Parameters begin from the seed and their names alone."""

from __future__ import annotations

import torch
from torch import nn

from lightning_modules.layers.initialisation import initialise
from lightning_modules.layers.transformer.encoder import TransformerEncoder


def test_the_beginning_does_not_depend_on_the_number_of_threads(seed: int) -> None:
    """The last bits of a factorisation would, at widths at which a library divides it among threads."""
    before = torch.get_num_threads()
    weights = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            rnn = nn.LSTM(8, 448)
            initialise(rnn, seed)
            weights.append(rnn.weight_hh_l0.detach().clone())
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*weights)


def test_what_a_transformer_adds_is_neither_silent_nor_loud_at_first(seed: int) -> None:
    """Scales of layer norms are 1, biases 0; each layer adds to inputs of variance 1 what is of their order."""
    encoder = TransformerEncoder(64, hidden_size=64, feedforward_size=128, layers=3)
    initialise(encoder, seed)
    for module in encoder.modules():
        if isinstance(module, nn.LayerNorm):
            assert (module.weight == 1).all()
            assert (module.bias == 0).all()
    hidden = torch.randn(4, 9, 64)
    for layer in encoder.layers:
        added = layer(hidden, None, torch.ones(4, 1, 1, 9, dtype=torch.bool)) - hidden
        assert 0.2 < added.std() < 2.0
        hidden = hidden + added
