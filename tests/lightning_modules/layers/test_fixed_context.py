"""The decoder over a fixed context: its two ways to run agree, and it is Luong's without what was left out."""

import itertools

import pytest
import torch

from lightning_modules.layers.attention import NoAttention
from lightning_modules.layers.decoder import FixedContextDecoder, LuongDecoder
from lightning_modules.layers.recurrent import Cell
from tests.lightning_modules.layers.test_decoder import EMBEDDING, MEMORY, agree


@pytest.mark.parametrize(("cell", "layers"), list(itertools.product(["lstm", "gru", "rnn"], [1, 2])))
def test_forward_equals_steps(cell: Cell, layers: int, seed: int) -> None:
    agree(FixedContextDecoder(EMBEDDING, MEMORY, cell=cell, layers=layers, hidden_size=5, output_size=4))


def test_it_is_luongs_without_attention_and_input_feeding(seed: int) -> None:
    ours = FixedContextDecoder(EMBEDDING, MEMORY, "gru", hidden_size=5, layers=2, output_size=4)
    theirs = LuongDecoder(EMBEDDING, MEMORY, NoAttention, "gru", 5, 2, input_feeding=False, output_size=4)
    theirs.load_state_dict(ours.state_dict())
    memory = ours.prepare_memory(torch.randn(2, 3, MEMORY), torch.ones(2, 3, dtype=torch.bool))
    start, embedded = ours.initial_state((torch.randn(2, 2, 5),)), torch.randn(2, 6, EMBEDDING)
    assert torch.equal(ours(embedded, memory, start)[0], theirs(embedded, memory, start)[0])
