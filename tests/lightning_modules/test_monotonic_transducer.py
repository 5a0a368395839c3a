"""The model whose alignment is summed over: against enumeration, alone and in a batch, in every search."""

from __future__ import annotations

import itertools
import math
from functools import partial
from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from datamodules.batch import EOS, SequenceBatch
from datamodules.errors import UserError
from datamodules.hyperparameters import described_module
from lightning_modules import monotonic_transducer, token_encoder_decoder
from lightning_modules.decoding.beam import BeamSearch
from lightning_modules.decoding.ensemble import Ensemble
from lightning_modules.decoding.greedy import GreedySearch
from lightning_modules.decoding.sampling import SamplingSearch
from lightning_modules.decoding.search import Search
from lightning_modules.forcing import Constant, ScheduledSampling
from lightning_modules.layers.attention import BahdanauAttention
from lightning_modules.layers.bridge import ZeroBridge
from lightning_modules.layers.decoder import FixedContextDecoder, LuongDecoder
from lightning_modules.layers.encoder import Encoder, RecurrentEncoder
from lightning_modules.layers.hard_alignment import Order
from lightning_modules.layers.recurrent import State
from lightning_modules.layers.state import StateShape
from lightning_modules.monotonic_transducer import MonotonicTransducer
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder
from tests.lightning_modules.decoding.tiny_search import (
    LIVE,
    LONGEST,
    VOCABULARY,
    Sayable,
    everything,
    known,
    rank,
    sources,
    tiny_model,
)

ORDERS = pytest.mark.parametrize("order", get_args(Order))
GIVEN = [[4, 5, 4], [5]]


def model(seed: int, order: Order, size: int = 9, **options: Any) -> MonotonicTransducer:  # noqa: ANN401 - what the model takes
    torch.manual_seed(seed)
    return MonotonicTransducer(
        size,
        size,
        encoder=partial(RecurrentEncoder, hidden_size=4),
        **{
            "decoder": partial(FixedContextDecoder, hidden_size=5),
            "embedding_size": 3,
            "order": order,
            **options,
        },
    ).double()


def pairs(count: int = 6) -> tuple[list[list[int]], list[list[int]]]:
    """Of very different lengths; the longest target has 9 tokens."""
    lengths = torch.randint(1, 8, (count, 2)).tolist()
    found = [[torch.randint(4, 9, (length,)).tolist() for length in pair] for pair in lengths]
    return [source for source, _ in found], [[5] * 9, *[target for _, target in found[1:]]]


def batch_of(sources: list[list[int]], targets: list[list[int]]) -> SequenceBatch:
    return SequenceBatch.from_pairs(sources, targets, torch.arange(len(sources)))


def enumerated(net: MonotonicTransducer, source: list[int], target: list[int]) -> Tensor:
    """The logarithm of a sum over all alignments: the probability of each is multiplied step by step."""
    batch = batch_of([source], [target])
    values, final = net.encoder(net.source_embedding(batch.source.values), batch.source.lengths)
    memory = net.decoder.prepare_memory(values, batch.source.mask)
    state = net.decoder.initial_state(net.bridge(final))
    outputs, _, _ = net.decoder(net.target_embedding(batch.target_input.values), memory, state)
    layer, gold = net.alignment, batch.target_output.values[0]
    scores = layer.attention.score(outputs, layer.attention.project(values))[0, 0]
    weight = torch.cat([layer.query_output.weight, layer.memory_output.weight], dim=1)
    total = values.new_zeros(())
    for path in itertools.product(range(len(source) + 1), repeat=len(gold)):
        probability, first = values.new_ones(()), 0
        for step, position in enumerate(path):
            if position < first:
                probability = probability * 0
                break
            both = torch.cat([outputs[0, step], values[0, position]])
            hidden = net.to_embedding((weight @ both + layer.query_output.bias).tanh()[None])[0]
            said = (net.output.weight @ hidden + net.output.bias).softmax(0)[gold[step]]
            probability = probability * scores[step, first:].softmax(0)[position - first] * said
            first = position if net.alignment.order else 0
        total = total + probability
    return total.log()


@ORDERS
@pytest.mark.parametrize("tied", ["none", "all"])
def test_loss_and_gradients_are_those_of_all_alignments(order: Order, tied: str, seed: int) -> None:
    net = model(seed, order, tied=tied)
    given, targets = [[4, 5, 8], [7]], [[6, 6], [5, 4, 8]]
    loss, reported, count = net.loss(batch_of(given, targets))
    wanted = -sum(enumerated(net, *pair) for pair in zip(given, targets, strict=True))
    assert isinstance(wanted, Tensor)
    torch.testing.assert_close(loss, wanted, rtol=0, atol=1e-10)
    assert reported.item() == loss.item()
    assert count == 7
    leaves = list(net.parameters())
    ours, theirs = (torch.autograd.grad(each, leaves, allow_unused=True) for each in (loss, wanted))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)


@ORDERS
def test_a_sentence_alone_and_in_a_padded_batch(order: Order, seed: int) -> None:
    net = model(seed, order)
    given, targets = pairs()
    batch = batch_of(given, targets)
    net.loss(batch)[0].backward()
    together = {name: parameter.grad for name, parameter in net.named_parameters()}
    net.zero_grad()
    _, weights = net(batch)
    scores = net.score(batch)
    for row, (source, target) in enumerate(zip(given, targets, strict=True)):
        alone, steps, length = batch_of([source], [target]), len(target) + 1, len(source) + 1
        loss, _, _ = net.loss(alone)
        loss.backward()
        assert scores[row].sum().item() == pytest.approx(-loss.item(), abs=1e-10)
        torch.testing.assert_close(weights[row, :, :steps, :length], net(alone)[1][0], rtol=0, atol=1e-10)
        torch.testing.assert_close(weights[row].sum(2), torch.ones(1, weights.shape[2]).double())
        assert (weights[row, :, :, length:] == 0).all()
        (together_best,), (alone_best,) = (
            net.translate(each.source, BeamSearch(3, max_length=8))[index : index + 1]
            for each, index in ((batch, row), (alone, 0))
        )
        assert together_best[0].ids == alone_best[0].ids
        assert together_best[0].score == pytest.approx(alone_best[0].score, abs=1e-10)
    for name, parameter in net.named_parameters():
        torch.testing.assert_close(parameter.grad, together[name], rtol=0, atol=1e-10)


@ORDERS
def test_pieces_of_targets_and_of_positions_change_nothing(
    order: Order, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = model(seed, order)
    batch = batch_of(*pairs())
    search = BeamSearch(3, n_best=3, max_length=6)
    scores, found, (chosen, predicted) = (
        net.score(batch),
        net.translate(batch.source, search),
        net.outcomes(batch, *net(batch)),
    )
    assert scores.sum().item() == pytest.approx(-net.loss(batch)[0].item(), abs=1e-10)
    torch.testing.assert_close(chosen, batch.target_output.real(scores), rtol=0, atol=1e-10)
    monkeypatch.setattr(token_encoder_decoder, "SCORED_AT_ONCE", 2)
    monkeypatch.setattr(monotonic_transducer, "CHUNK_ROWS", 20)
    torch.testing.assert_close(net.score(batch), scores, rtol=0, atol=1e-12)
    assert torch.equal(net.outcomes(batch, *net(batch))[1], predicted)
    for one, other in zip(net.translate(batch.source, search), found, strict=True):
        assert [each.ids for each in one] == [each.ids for each in other]


def tiny(seed: int, order: Order) -> MonotonicTransducer:
    """One over the ids of :func:`tiny_model`, whose alignments differ from token to token."""
    net = model(seed, order, VOCABULARY)
    with torch.no_grad():
        for parameter in net.alignment.parameters():
            parameter.mul_(3)
        net.output.weight.mul_(6)
        net.output.bias.normal_()
        net.output.bias[LIVE:] = -torch.inf
    return net.eval()


@torch.no_grad()
def all_sayable(net: MonotonicTransducer, source: list[int]) -> list[Sayable]:
    live = [token for token in range(LIVE) if token != EOS]
    targets = [list(ids) for length in range(LONGEST + 1) for ids in itertools.product(live, repeat=length)]
    batch = batch_of([source] * len(targets), targets)
    scores, (_, weights) = net.score(batch).tolist(), net(batch)
    return [
        Sayable(tuple(ids), score[: len(ids) + 1], weight[0, : len(ids) + 1])
        for ids, score, weight in zip(targets, scores, weights, strict=True)
    ]


@ORDERS
@pytest.mark.parametrize("penalties", [(0.0, 0.0), (1.0, 0.2)])
def test_a_wide_beam_finds_what_enumeration_finds(order: Order, penalties: tuple[float, float], seed: int) -> None:
    net = tiny(seed, order)
    search = BeamSearch(VOCABULARY, penalties[0], 10, LONGEST, coverage_penalty=penalties[1])
    for source, found in zip(GIVEN, net.translate(sources(*GIVEN), search, with_attention=True), strict=True):
        expected = sorted(known(all_sayable(net, source)), key=lambda each: -rank(each, *penalties))
        assert [tuple(each.ids) for each in found] == [each.ids for each in expected[:10]]
        for hypothesis, each in zip(found, expected, strict=False):
            assert hypothesis.score == pytest.approx(rank(each, *penalties), abs=1e-9)
            assert hypothesis.attention is not None
            torch.testing.assert_close(hypothesis.attention, each.attention)


@ORDERS
def test_what_can_be_said_sums_to_one(order: Order, seed: int) -> None:
    """Together with what is longer: so the tokens that were chosen are counted in, once each."""
    net = tiny(seed, order)
    said = all_sayable(net, GIVEN[0])
    ended = sum(math.exp(each.log_probability) for each in said)
    longer = sum(
        math.exp(sum(each.tokens[:-1])) - math.exp(each.log_probability) for each in said if len(each.ids) == LONGEST
    )
    assert ended + longer == pytest.approx(1.0, abs=1e-9)


@ORDERS
@pytest.mark.parametrize("search", [GreedySearch(6), SamplingSearch(4, max_length=6), BeamSearch(4, 1.0, 4, 6)])
@pytest.mark.parametrize("with_other", [False, True])
def test_hypotheses_have_the_scores_of_given_targets(order: Order, search: Search, with_other: bool, seed: int) -> None:
    """Alone, and in an ensemble with a model of ordinary attention."""
    net = tiny(seed, order)
    members: list[TokenEncoderDecoder] = [tiny_model(seed), net] if with_other else [net]
    ensemble = Ensemble(members)
    with torch.no_grad():
        found = search(ensemble, sources(*GIVEN))
    for source, hypotheses in zip(GIVEN, found, strict=True):
        scores = ensemble.score(batch_of([source] * len(hypotheses), [list(each.ids) for each in hypotheses]))
        for hypothesis, score in zip(hypotheses, scores.sum(1).tolist(), strict=True):
            assert hypothesis.log_probability == pytest.approx(score, abs=1e-9)


def test_a_wide_beam_of_an_ensemble_with_ordinary_attention(seed: int) -> None:
    net, other = tiny(seed, 1), tiny_model(seed)
    search = BeamSearch(VOCABULARY, 0.0, 5, LONGEST, allow_unknown=True)
    with torch.no_grad():
        (found,) = search(Ensemble([net, other]), sources(GIVEN[0]))
    averaged = []
    for one, two in zip(all_sayable(net, GIVEN[0]), everything(other, GIVEN[0]), strict=True):
        assert one.ids == two.ids
        tokens = zip(one.tokens, two.tokens, strict=True)
        averaged.append((sum(math.log(sum(map(math.exp, each)) / 2) for each in tokens), one.ids))
    averaged.sort(reverse=True)
    assert [tuple(each.ids) for each in found] == [ids for _, ids in averaged[:5]]


class LettersAndPlaces(Encoder):
    """Letters without what is around them, so that each sound can come of its own letter alone."""

    def __init__(self, embedding_size: int) -> None:
        super().__init__()
        self.memory_size = embedding_size + 8
        self.state_shape = StateShape(1, 1, self.memory_size)

    def forward(self, embedded: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
        places = torch.eye(8)[: embedded.shape[1]].expand(len(embedded), -1, -1)
        memory = torch.cat([embedded, places], dim=2)
        return memory, (memory[None, :, 0],)


def test_it_learns_which_letter_each_sound_comes_of() -> None:
    """Two letters begin with one sound, so that none follows from those before it: each has to be looked up.

    Where it looks before it knows the sound stands a letter that has this sound. Some seeds take twice as long.
    """
    sounds = {4: [4], 5: [5], 6: [6, 7], 7: [6, 8]}
    torch.manual_seed(1)
    decoder = partial(FixedContextDecoder, hidden_size=48, cell="gru")
    net = MonotonicTransducer(8, 9, LettersAndPlaces, decoder, ZeroBridge, BahdanauAttention, embedding_size=16)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)

    def words() -> list[list[int]]:
        return [torch.randint(4, 8, (length,)).tolist() for length in torch.randint(1, 7, (32,)).tolist()]

    def said(word: list[int]) -> list[int]:
        return [sound for letter in word for sound in sounds[letter]]

    for _ in range(200):
        loss, _, count = net.loss(batch_of(given := words(), list(map(said, given))))
        optimizer.zero_grad()
        (loss / count).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
    batch = batch_of(given := words(), list(map(said, given)))
    found = net.translate(batch.source, GreedySearch(12), with_attention=True)
    right, fitting = 0, []
    for word, (best,) in zip(given, found, strict=True):
        assert best.attention is not None
        peaks = best.attention.argmax(dim=1).tolist()
        right += best.ids == said(word)
        may_say = [*(sounds[letter] for letter in word), [EOS]]
        fitting += [token in may_say[peak] for token, peak in zip([*best.ids, EOS], peaks, strict=True)]
    share = sum(fitting) / len(fitting)
    print(f"{right} of {len(given)} words, {share:.1%} of {len(fitting)} alignments")
    assert right >= 26
    assert share > 0.9


def test_what_it_cannot_serve_is_refused(seed: int) -> None:
    with pytest.raises(UserError, match="LuongDecoder attends to the source, which MonotonicTransducer does itself"):
        model(seed, 1, decoder=LuongDecoder)
    with pytest.raises(UserError, match="runs on gold history alone"):
        model(seed, 1).forced(batch_of(*pairs()), ScheduledSampling(Constant(0.0)), 0.0)


def test_shared_names_begin_as_in_every_encoder_decoder(seed: int) -> None:
    ours = model(seed, 1)
    torch.manual_seed(seed)
    other = TokenEncoderDecoder(
        9, 9, partial(RecurrentEncoder, hidden_size=4), partial(FixedContextDecoder, hidden_size=5), embedding_size=3
    ).double()
    theirs = dict(other.named_parameters())
    mine = {name for name, _ in ours.named_parameters()}
    assert all(name.startswith("alignment.") for name in mine - set(theirs))
    assert all(torch.equal(parameter, theirs[name]) for name, parameter in ours.named_parameters() if name in theirs)


def test_a_checkpoint_names_the_arguments_that_it_takes(seed: int) -> None:
    """It has fewer than its base class, whose arguments Lightning keeps as well."""
    torch.manual_seed(seed)
    encoder, decoder = partial(RecurrentEncoder, hidden_size=4), partial(FixedContextDecoder, hidden_size=5)
    net = MonotonicTransducer(9, 9, encoder, decoder, order=0)
    described = described_module(net, net.hparams_initial)
    assert described["order"] == 0
    assert not {"head", "forcing", "label_smoothing"} & set(described)
