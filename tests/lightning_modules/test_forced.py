"""Scheduled sampling against teacher forcing, greedy search, and passes written out by hand."""

from functools import partial

import pytest
import torch

from datamodules.batch import BOS, EOS, SequenceBatch
from datamodules.errors import UserError
from lightning_modules.decoding.greedy import GreedySearch
from lightning_modules.forcing import Constant, Forcing, ParallelScheduledSampling, ScheduledSampling
from lightning_modules.forcing_controls import ConfidenceAwareSampling, NoisyForcing
from lightning_modules.layers.decoder import (
    BahdanauDecoder,
    Decoder,
    FixedContextDecoder,
    LuongDecoder,
    MultiStepDecoder,
)
from lightning_modules.layers.encoder import RecurrentEncoder
from lightning_modules.layers.transformer.decoder import TransformerDecoder
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder

VOCABULARY = 11
FREE = Constant(0.0)
DECODERS = [
    LuongDecoder,
    partial(LuongDecoder, input_feeding=False),
    BahdanauDecoder,
    MultiStepDecoder,
    FixedContextDecoder,
    partial(TransformerDecoder, heads=2, feedforward_size=8, layers=2),
]


def model(seed: int, kind: type[Decoder] | partial[Decoder] = LuongDecoder) -> TokenEncoderDecoder:
    """A random model in double precision, without dropout, its distributions sharp enough to differ."""
    torch.manual_seed(seed)
    net = TokenEncoderDecoder(
        VOCABULARY,
        VOCABULARY,
        encoder=partial(RecurrentEncoder, hidden_size=5),
        decoder=partial(kind, hidden_size=6),
        embedding_size=4,
    ).double()
    with torch.no_grad():
        net.output.weight.mul_(3.0)
    return net


def batch_of(seed: int, count: int = 7) -> SequenceBatch:
    generator = torch.Generator().manual_seed(seed)

    def sentence() -> list[int]:
        length = int(torch.randint(1, 9, (), generator=generator))
        return torch.randint(4, VOCABULARY, (length,), generator=generator).tolist()

    return SequenceBatch.from_pairs(
        [sentence() for _ in range(count)], [sentence() for _ in range(count)], torch.arange(count)
    )


@pytest.mark.parametrize(
    "forcing",
    [
        ScheduledSampling(FREE),
        ParallelScheduledSampling(FREE, passes=3),
        NoisyForcing(FREE),
        ConfidenceAwareSampling(FREE),
    ],
)
@pytest.mark.parametrize("decoder", DECODERS)
def test_with_every_coin_gold_it_is_teacher_forcing(decoder: type[Decoder], forcing: Forcing, seed: int) -> None:
    net, batch = model(seed, decoder), batch_of(seed)
    plain, _ = net(batch)
    fed = net.forced(batch, forcing, ratio=1.0)[0]
    torch.testing.assert_close(fed, plain, rtol=0, atol=1e-12)
    direction = torch.randn_like(plain)
    expected = torch.autograd.grad((plain * direction).sum(), list(net.decoder.parameters()), allow_unused=True)
    found = torch.autograd.grad((fed * direction).sum(), list(net.decoder.parameters()), allow_unused=True)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)


@pytest.mark.parametrize("decoder", DECODERS)
def test_free_running_says_what_greedy_search_says(decoder: type[Decoder], seed: int) -> None:
    net, batch = model(seed, decoder).eval(), batch_of(seed)
    hidden = net.forced(batch, ScheduledSampling(FREE), ratio=0.0)[0]
    said = net.output(hidden).argmax(-1).split(batch.target_output.lengths.tolist())
    searched = net.translate(batch.source, GreedySearch(max_length=30, max_ratio=None, allow_unknown=True))
    for tokens, (hypothesis,) in zip(said, searched, strict=True):
        expected = [*hypothesis.ids, EOS][: len(tokens)]
        assert tokens.tolist()[: len(expected)] == expected


def test_two_passes_feed_what_teacher_forcing_predicts(seed: int) -> None:
    net, batch = model(seed, MultiStepDecoder), batch_of(seed)
    memory, state = net.encode(batch.source)
    inputs = batch.target_input
    outputs, _, _ = net.decoder(net.embed(inputs.values), memory, state)
    predicted = net.output(outputs).argmax(-1)
    second = torch.cat([torch.full_like(predicted[:, :1], BOS), predicted[:, :-1]], dim=1)
    expected, _, _ = net.decoder(net.embed(second), memory, state)
    found = net.forced(batch, ParallelScheduledSampling(FREE, passes=2), ratio=0.0)[0]
    torch.testing.assert_close(found, expected[inputs.mask], rtol=0, atol=1e-12)


@pytest.mark.parametrize("decoder", DECODERS)
def test_as_many_passes_as_positions_are_free_running(decoder: type[Decoder], seed: int) -> None:
    """Each pass makes one more position follow from the model's own history alone."""
    net, batch = model(seed, decoder), batch_of(seed)
    passes = int(batch.target_input.lengths.max())
    together = net.forced(batch, ParallelScheduledSampling(FREE, passes=max(2, passes)), ratio=0.0)[0]
    torch.testing.assert_close(together, net.forced(batch, ScheduledSampling(FREE), ratio=0.0)[0], rtol=0, atol=1e-12)


def test_no_gradient_passes_through_the_choice(seed: int) -> None:
    """The gradient is that of the same tokens given as gold."""
    net, batch = model(seed), batch_of(seed, count=1)
    hidden = net.forced(batch, ScheduledSampling(FREE), ratio=0.0)[0]
    said = net.output(hidden).argmax(-1)[:-1].tolist()
    as_gold = SequenceBatch.from_pairs([batch.source.values[0, :-1].tolist()], [said], torch.zeros(1))
    expected = torch.autograd.grad(net(as_gold)[0].sum(), net.target_embedding.weight)[0]
    found = torch.autograd.grad(hidden.sum(), net.target_embedding.weight)[0]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("coin", "alike"), [("token", (False, False)), ("sentence", (True, False)), ("batch", (True, True))]
)
def test_gold_masks(coin: str, alike: tuple[bool, bool], seed: int) -> None:
    forcing = ScheduledSampling(FREE, coin)
    mask = torch.ones(300, 21, dtype=torch.bool)
    mask[:, 15:] = torch.arange(300)[:, None] % 2 == 0
    draws = [forcing.gold_mask(mask, 0.3) for _ in range(200)]
    assert all(gold[:, 0].all() and gold[~mask].all() for gold in draws)
    share = torch.stack([gold[:, 1:][mask[:, 1:]].double().mean() for gold in draws]).mean()
    assert share == pytest.approx(0.3, abs=0.15 if coin == "batch" else 0.02)
    rows = draws[0][:, 1:15]
    assert (bool((rows == rows[:, :1]).all()), bool((rows == rows[:1]).all())) == alike


def test_sampled_feedback_follows_the_distribution(seed: int) -> None:
    net = model(seed)
    outputs = torch.randn(1, 6, dtype=torch.float64)
    expected = net.output(outputs).softmax(-1)[0]
    count = 40_000
    memory, _ = net.encode(batch_of(seed, count=1).source)
    many, nothing = outputs.expand(1, count, -1), outputs.new_zeros(1, 0, count, 0)
    drawn = (
        net.predict(many, nothing, memory, torch.ones(1, count) > 0, "sample").bincount(minlength=VOCABULARY) / count
    )
    assert (drawn - expected).abs().max() < 5 * (0.25 / count) ** 0.5
    best = net.predict(many[:, :1], nothing[:, :, :1], memory, torch.ones(1, 1) > 0, "argmax")
    assert best.item() == expected.argmax().item()


def test_one_pass_is_refused() -> None:
    with pytest.raises(UserError, match="passes is 1: give at least 2"):
        ParallelScheduledSampling(FREE, passes=1)


@pytest.mark.parametrize("coin", ["token", "sentence"])
def test_gold_decays_with_the_position(coin: str, seed: int) -> None:
    forcing = NoisyForcing(FREE, coin, position_decay=0.9)
    gold = forcing.gold_mask(torch.ones(40_000, 12, dtype=torch.bool), 0.8)
    expected = 0.8 * 0.9 ** torch.arange(1, 12)
    assert (gold.double().mean(0)[1:] - expected).abs().max() < 5 * (0.25 / 40_000) ** 0.5
    assert gold[:, 0].all()
    assert not forcing.feeds_gold(1.0)
    assert NoisyForcing(FREE).feeds_gold(1.0)


def test_a_ratio_of_one_that_decays_is_no_teacher_forcing(seed: int) -> None:
    net, batch = model(seed), batch_of(seed, count=64)
    net.forcing = ScheduledSampling(Constant(1.0), position_decay=0.5)
    fed = net.run(batch, ratio=1.0).fed
    assert not torch.equal(fed, batch.target_input.values)


@pytest.mark.parametrize("forcing", [ScheduledSampling(FREE), ParallelScheduledSampling(FREE), NoisyForcing(FREE)])
def test_what_was_fed_is_told(forcing: Forcing, seed: int) -> None:
    """Fed as gold, it has the same outputs; on padding and at the first position it is gold."""
    net, batch = model(seed), batch_of(seed)
    gold = batch.target_input
    hidden, _, fed = net.forced(batch, forcing, ratio=0.3)
    assert torch.equal(fed[~gold.mask], gold.values[~gold.mask])
    assert torch.equal(fed[:, 0], gold.values[:, 0])
    assert not torch.equal(fed, gold.values)
    memory, state = net.encode(batch.source)
    outputs, _, _ = net.decoder(net.embed(fed), memory, state)
    torch.testing.assert_close(hidden, net.to_embedding(outputs[gold.mask]), rtol=0, atol=1e-12)


def test_noise_is_distributed_as_the_targets_are(seed: int) -> None:
    net, batch = model(seed), batch_of(seed, count=4000)
    gold = batch.target_input
    fed = net.forced(batch, NoisyForcing(FREE), ratio=0.0).fed
    inner = gold.mask[:, 1:]
    found, expected = (each[:, 1:][inner].bincount(minlength=VOCABULARY) / inner.sum() for each in (fed, gold.values))
    assert (found - expected).abs().max() < 5 * (0.25 / int(inner.sum())) ** 0.5
    assert found[BOS] == found[EOS] == 0
    same = (fed == gold.values)[:, 1:][inner].double().mean()
    assert same == pytest.approx(float((expected**2).sum()), abs=0.02)


@pytest.mark.parametrize("decoder", [MultiStepDecoder, LuongDecoder])
def test_confidence_decides_what_is_fed(decoder: type[Decoder], seed: int) -> None:
    """Against the rule written out, from probabilities under teacher forcing."""
    net, batch = model(seed, decoder), batch_of(seed, count=40)
    gold = batch.target_input
    lengths = gold.lengths.tolist()
    probabilities = net.output(net(batch)[0]).softmax(-1).split(lengths)
    fed = net.forced(batch, ConfidenceAwareSampling(FREE, golden=0.08, random=0.12), ratio=0.0).fed
    pool = set(gold.values[:, 1:][gold.mask[:, 1:]].tolist())
    seen = {"gold": 0, "predicted": 0, "random": 0}
    for sentence, length, given, distributions in zip(gold.values, lengths, fed, probabilities, strict=True):
        for place in range(1, length):
            token, distribution = int(sentence[place]), distributions[place - 1]
            confidence = float(distribution[token])
            if confidence <= 0.08:
                seen["gold"] += 1
                assert given[place] == token
            elif confidence <= 0.12:
                seen["predicted"] += 1
                assert given[place] == distribution.argmax()
            else:
                seen["random"] += 1
                assert int(given[place]) in pool
    assert min(seen.values()) > 3, seen


def test_gold_by_the_coin_stays_gold_whatever_the_confidence(seed: int) -> None:
    net, batch = model(seed, MultiStepDecoder), batch_of(seed)
    fed = net.forced(batch, ConfidenceAwareSampling(FREE, golden=0.0, random=0.0), ratio=1.0).fed
    assert torch.equal(fed, batch.target_input.values)


def test_thresholds_out_of_order_are_refused() -> None:
    with pytest.raises(UserError, match=r"golden is 0.9 and random 0.5: give 0 <= golden <= random <= 1"):
        ConfidenceAwareSampling(FREE, golden=0.9, random=0.5)
    with pytest.raises(UserError, match=r"position_decay is 0.0: give a number above 0, and at most 1"):
        NoisyForcing(FREE, position_decay=0.0)
