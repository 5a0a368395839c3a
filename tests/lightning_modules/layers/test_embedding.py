"""Embeddings: whole tokens dropped in training, and nothing dropped in evaluation."""

import pytest
import torch

from lightning_modules.layers.embedding import TokenEmbedding

SIZE = 8


@pytest.mark.usefixtures("seed")
def test_whole_tokens_are_dropped_in_training() -> None:
    embedding = TokenEmbedding(5, SIZE, token_dropout=0.3)
    torch.nn.init.ones_(embedding.weight)
    embedded = embedding(torch.randint(5, (40, 250)))
    is_zero = embedded == 0
    assert torch.equal(is_zero.any(dim=-1), is_zero.all(dim=-1)), "a token is dropped as a whole"
    share = is_zero.all(dim=-1).double().mean().item()
    assert share == pytest.approx(0.3, abs=0.03), "five standard deviations of 10,000 tokens are 0.023"
    kept = embedded[~is_zero.all(dim=-1)]
    assert torch.equal(kept, kept[:1].expand_as(kept))


@pytest.mark.usefixtures("seed")
def test_nothing_is_dropped_in_evaluation() -> None:
    embedding = TokenEmbedding(5, SIZE, dropout=0.5, token_dropout=0.5).eval()
    ids = torch.randint(5, (4, 9))
    torch.testing.assert_close(embedding(ids), embedding.weight[ids] * SIZE**0.5)


@pytest.mark.usefixtures("seed")
def test_dropout_is_of_single_values() -> None:
    embedding = TokenEmbedding(5, SIZE, dropout=0.5)
    torch.nn.init.ones_(embedding.weight)
    is_zero = embedding(torch.randint(5, (40, 50))) == 0
    assert is_zero.double().mean().item() == pytest.approx(0.5, abs=0.03)
    assert not torch.equal(is_zero.any(dim=-1), is_zero.all(dim=-1))
