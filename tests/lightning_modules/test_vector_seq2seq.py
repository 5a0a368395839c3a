"""Sequence to sequence over vectors: histories, padding, and free running against steps by hand."""

from functools import partial

import pytest
import torch

from datamodules.batch import Padded, VectorBatch
from datamodules.vector_reversal import VectorReversalDataModule
from lightning_modules.forcing import Constant, FeedingBack, ParallelScheduledSampling, ScheduledSampling
from lightning_modules.layers.decoder import BahdanauDecoder, Decoder, FixedContextDecoder, LuongDecoder
from lightning_modules.layers.encoder import RecurrentEncoder
from lightning_modules.vector_seq2seq import VectorSeq2Seq

FREE = Constant(0.0)
DECODERS = [FixedContextDecoder, LuongDecoder, BahdanauDecoder]


def model(seed: int, decoder: type[Decoder] = FixedContextDecoder) -> VectorSeq2Seq:
    torch.manual_seed(seed)
    return VectorSeq2Seq(
        3,
        3,
        encoder=partial(RecurrentEncoder, hidden_size=4),
        decoder=partial(decoder, hidden_size=6),
        embedding_size=5,
    ).double()


def batch_of(seed: int, count: int = 6) -> VectorBatch:
    data = VectorReversalDataModule(num_features=3, min_length=1, max_length=7, test_size=count, corpus_seed=seed)
    batch = data.sequences("test")[list(range(count))]
    source, target = (Padded(padded.values.double(), padded.lengths) for padded in (batch.source, batch.target))
    return VectorBatch(source, target, batch.index)


def row_of(batch: VectorBatch, row: int) -> VectorBatch:
    length = int(batch.source.lengths[row])
    source, target = (
        Padded(padded.values[row : row + 1, :length], padded.lengths[row : row + 1])
        for padded in (batch.source, batch.target)
    )
    return VectorBatch(source, target, batch.index[row : row + 1])


def test_the_target_is_the_source_reversed_and_its_input_is_shifted(seed: int) -> None:
    batch = batch_of(seed)
    for source, target, shifted, length in zip(
        batch.source.values, batch.target.values, batch.target_input.values, batch.source.lengths.tolist(), strict=True
    ):
        assert torch.equal(source[:length].flip(0), target[:length])
        assert (shifted[0] == 0).all()
        assert torch.equal(shifted[1:length], target[: length - 1])


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_sequence_alone_and_in_a_padded_batch(decoder: type[Decoder], seed: int) -> None:
    net, batch = model(seed, decoder), batch_of(seed)
    together, reported, numbers = net.loss(batch)
    alone = [net.loss(row_of(batch, row)) for row in range(len(batch))]
    torch.testing.assert_close(together, sum(loss for loss, _, _ in alone), rtol=1e-12, atol=0)
    assert torch.equal(together.detach(), reported)
    assert numbers == sum(count for _, _, count in alone) == 3 * int(batch.target.lengths.sum())


def test_the_loss_is_the_squared_error_of_each_number(seed: int) -> None:
    net, batch = model(seed), batch_of(seed)
    loss, _, numbers = net.loss(batch)
    error = net.output(net(batch)[0]) - batch.target.values[batch.target.mask]
    assert numbers == error.numel()
    torch.testing.assert_close(loss, error.square().sum(), rtol=1e-12, atol=0)


@pytest.mark.parametrize("decoder", DECODERS)
def test_free_running_equals_steps_by_hand(decoder: type[Decoder], seed: int) -> None:
    net, batch = model(seed, decoder), batch_of(seed)
    found = net.forced(batch, ScheduledSampling(FREE), ratio=0.0)[0]
    found = net.output(found)
    whole = torch.zeros_like(batch.target.values)
    whole[batch.target.mask] = found
    memory, state = net.encode(batch.source)
    value = torch.zeros(len(batch), 3, dtype=torch.float64)
    for position in range(batch.target.values.shape[1]):
        output, _, state = net.decoder.step(net.embed(value), memory, state)
        value = net.output(output)
        real = position < batch.target.lengths
        torch.testing.assert_close(whole[real, position], value[real], rtol=0, atol=1e-12)


@pytest.mark.parametrize("decoder", DECODERS)
def test_with_every_coin_gold_it_is_teacher_forcing_and_many_passes_are_free_running(
    decoder: type[Decoder], seed: int
) -> None:
    net, batch = model(seed, decoder), batch_of(seed)
    passes = max(2, batch.target.values.shape[1])
    parallel = ParallelScheduledSampling(FREE, passes=passes)
    for forcing in (ScheduledSampling(FREE), parallel):
        torch.testing.assert_close(net.forced(batch, forcing, 1.0)[0], net(batch)[0], rtol=0, atol=1e-12)
    free = net.forced(batch, ScheduledSampling(FREE), 0.0)[0]
    torch.testing.assert_close(net.forced(batch, parallel, 0.0)[0], free, rtol=0, atol=1e-12)


@pytest.mark.parametrize("forcing", [ScheduledSampling(FREE), ParallelScheduledSampling(FREE, passes=3)])
def test_what_is_fed_back_in_mixed_precision_is_the_prediction(forcing: FeedingBack, seed: int) -> None:
    """It is predicted in sixteen bits, and what it is fed with is of thirty-two."""
    net, given = model(seed, LuongDecoder).float(), batch_of(seed)
    source, target = (Padded(padded.values.float(), padded.lengths) for padded in (given.source, given.target))
    net.forcing, batch = forcing, VectorBatch(source, target, given.index)
    with torch.autocast("cpu", torch.bfloat16):
        ran = net.forced(batch, forcing, ratio=0.0)
        predicted = net.output(ran.outputs)
        loss, _, count = net.loss(batch, ratio=0.0)
    loss.backward()
    assert predicted.dtype == torch.bfloat16
    assert ran.fed.dtype == torch.float32
    assert all(each.grad is not None and each.grad.isfinite().all() for each in net.parameters())
    exact = net.loss(batch, ratio=0.0)[0].item()
    assert loss.item() / count == pytest.approx(exact / count, abs=0.02)
    if isinstance(forcing, ScheduledSampling):
        mask = batch.target_output.mask
        at = torch.zeros((*mask.shape, 3)).masked_scatter(mask[..., None], predicted.float())
        follows = batch.target_input.mask[:, 1:]
        torch.testing.assert_close(ran.fed[:, 1:][follows], at[:, :-1][follows], rtol=0, atol=0.02)
