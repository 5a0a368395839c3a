"""An encoder that reads features apart from the text after them."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from datamodules.batch import EOS, UNK, Padded
from datamodules.errors import UserError
from lightning_modules.layers.encoder import (
    BagOfWordsEncoder,
    EncoderFactory,
    EncoderWithEmbeddings,
    EncoderWithFeatures,
    RecurrentEncoder,
)
from lightning_modules.layers.transformer.encoder import TransformerEncoder
from lightning_modules.nmt import AttentionNMT

LENGTHS, FEATURES = [5, 3, 7, 4], [2, 0, 1, 3]
SIZE = 6

ENCODERS = [
    partial(RecurrentEncoder, hidden_size=4),
    partial(TransformerEncoder, hidden_size=8, heads=2, feedforward_size=8, layers=1),
    partial(EncoderWithEmbeddings, encoder=partial(RecurrentEncoder, hidden_size=4)),
]


@pytest.mark.parametrize("kind", ENCODERS)
@pytest.mark.parametrize("features", [BagOfWordsEncoder, partial(RecurrentEncoder, cell="gru", hidden_size=3)])
def test_text_and_features_are_read_alone_and_lie_in_their_places(
    kind: EncoderFactory, features: EncoderFactory, seed: int
) -> None:
    encoder = EncoderWithFeatures(SIZE, kind, features).double().eval()
    embedded = torch.randn(len(LENGTHS), max(LENGTHS), SIZE, dtype=torch.float64)
    memory, state = encoder(embedded, torch.tensor(LENGTHS), torch.tensor(FEATURES))
    assert memory.shape == (len(LENGTHS), max(LENGTHS), encoder.memory_size)
    for row, (length, count) in enumerate(zip(LENGTHS, FEATURES, strict=True)):
        text, final = encoder.encoder(embedded[row : row + 1, count:length], torch.tensor([length - count]))
        torch.testing.assert_close(memory[row, count:length], text[0], rtol=0, atol=1e-12)
        hidden, *others = final
        if count:
            read, last = encoder.features(embedded[row : row + 1, :count], torch.tensor([count]))
            hidden = hidden + encoder.state_projection(last[0][-1])
            known = torch.cat([read[0], last[0][-1].expand(count, -1)], dim=-1)
            torch.testing.assert_close(
                memory[row, :count], encoder.feature_projection(known).tanh(), rtol=0, atol=1e-12
            )
        for part, alone in zip(state, (hidden, *others), strict=True):
            torch.testing.assert_close(part[:, row], alone[:, 0], rtol=0, atol=1e-12)
        assert (memory[row, length:] == 0).all()


def model(encoder: partial[EncoderWithFeatures], features: int = 3) -> AttentionNMT:
    return AttentionNMT(
        12, 9, encoder, embedding_size=SIZE, shared_vocabulary_size=9, feature_vocabulary_size=features
    ).eval()


def test_features_are_told_by_their_ids_and_an_unknown_one_before_others_is_one_too(seed: int) -> None:
    net = model(partial(EncoderWithFeatures, encoder=ENCODERS[0])).double()

    rows = [[9, 11, 5, EOS], [UNK, 10, 6, EOS], [7, UNK, EOS], [10, EOS]]
    lengths = torch.tensor([len(row) for row in rows])
    values = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
    found, _ = net.read(Padded(values, lengths))
    wanted, _ = net.encoder(net.source_embedding(values), lengths, torch.tensor([2, 2, 0, 1]))
    assert torch.equal(found, wanted)


def test_the_order_of_embedded_features_does_not_matter(seed: int) -> None:

    net = model(partial(EncoderWithFeatures, encoder=ENCODERS[1], features=BagOfWordsEncoder)).double()
    batch = Padded(torch.tensor([[9, 11, 5, 6, EOS], [11, 9, 5, 6, EOS]]), torch.tensor([5, 5]))
    memory, state = net.encode(batch)
    one, other = (
        net.decoder.step(torch.ones(1, SIZE).double(), memory.select(row), state.select(row))[0]
        for row in (torch.tensor([0]), torch.tensor([1]))
    )
    torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_where_it_cannot_stand() -> None:
    with pytest.raises(UserError, match="reads features, and the data have none: name their column"):
        model(partial(EncoderWithFeatures, encoder=ENCODERS[0]), features=0)
    outer = EncoderWithEmbeddings(SIZE, partial(EncoderWithFeatures, encoder=ENCODERS[0]))
    with pytest.raises(UserError, match="stands within another encoder"):
        outer(torch.randn(1, 2, SIZE), torch.tensor([2]))
