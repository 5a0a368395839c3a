"""Parameters begin from the seed and their names alone."""

from __future__ import annotations

import torch
from torch import nn

from lightning_modules.layers.initialisation import initialise


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
