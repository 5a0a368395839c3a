"""The classifier of texts: padding changes nothing, weights are those of the pooling, and a bag has no order."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from datamodules.batch import Padded
from datamodules.errors import UserError
from lightning_modules.birnn import BiRNNTextClassifier
from lightning_modules.layers.encoder import BagOfWordsEncoder, Encoder, RecurrentEncoder, StepwiseEncoder
from lightning_modules.layers.pooling import AttentionPooling, FinalStatePooling, MaxPooling, MeanPooling, Pooling

CELLS = [partial(RecurrentEncoder, cell=cell, hidden_size=5) for cell in ("lstm", "gru", "rnn", "layer_norm_lstm")]
ENCODERS = [*CELLS, partial(StepwiseEncoder, cell="gru", hidden_size=5), BagOfWordsEncoder]


def net(encoder: partial[Encoder] | type[Encoder], pooling: type[Pooling] = AttentionPooling) -> BiRNNTextClassifier:
    return BiRNNTextClassifier(20, 3, encoder, pooling, embedding_size=6).double().eval()


def texts(seed: int) -> list[list[int]]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(4, 20, (length,), generator=generator).tolist() for length in (1, 7, 3, 5)]


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("pooling", [FinalStatePooling, MeanPooling, MaxPooling, AttentionPooling])
def test_a_text_alone_and_in_a_padded_batch(
    encoder: partial[Encoder] | type[Encoder], pooling: type[Pooling], seed: int
) -> None:
    model, rows = net(encoder, pooling), texts(seed)
    together = model(Padded.from_sequences(rows))
    for row, logits in zip(rows, together, strict=True):
        torch.testing.assert_close(model(Padded.from_sequences([row]))[0], logits, rtol=0, atol=1e-10)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_the_weights_are_those_that_the_logits_are_made_with(
    encoder: partial[Encoder] | type[Encoder], seed: int
) -> None:
    model, source = net(encoder), Padded.from_sequences(texts(seed))
    weights = model.attend(source)
    assert (weights[~source.mask] == 0).all()
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(4, dtype=torch.float64))
    memory, _ = model.encoder(model.source_embedding(source.values), source.lengths)
    pooled = (weights[:, :, None] * memory).sum(dim=1)
    torch.testing.assert_close(model.output(pooled), model(source))


def test_a_pooling_without_weights_says_so(seed: int) -> None:
    with pytest.raises(UserError, match=r"MaxPooling weighs no positions: set model\.init_args\.pooling to Attention"):
        net(BagOfWordsEncoder, MaxPooling).attend(Padded.from_sequences(texts(seed)))


def test_a_bag_of_words_is_linear_in_the_counts(seed: int) -> None:
    """Against counts times one weight for each word and class; a recurrent encoder is none."""
    model, rows = net(BagOfWordsEncoder, FinalStatePooling), texts(seed)
    weights = model.source_embedding(torch.arange(20)) @ model.output.weight.T
    for row in rows:
        shares = torch.bincount(torch.tensor(row), minlength=20).double() / len(row)
        expected = shares @ weights + model.output.bias
        torch.testing.assert_close(model(Padded.from_sequences([row]))[0], expected)
    backwards = Padded.from_sequences([row[::-1] for row in rows])
    torch.testing.assert_close(model(backwards), model(Padded.from_sequences(rows)))
    recurrent = net(CELLS[1], FinalStatePooling)
    assert not torch.allclose(recurrent(backwards)[1], recurrent(Padded.from_sequences(rows))[1])
