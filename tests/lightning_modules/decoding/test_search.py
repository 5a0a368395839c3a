"""The searches against enumeration of everything that a small model can say."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch

from datamodules.batch import EOS, UNK, Padded, SequenceBatch
from datamodules.errors import RunFailed, UserError
from lightning_modules.decoding.beam import BeamSearch
from lightning_modules.decoding.ensemble import Ensemble
from lightning_modules.decoding.greedy import GreedySearch
from lightning_modules.decoding.sampling import SamplingSearch
from lightning_modules.decoding.search import Search
from lightning_modules.layers.attention import CoverageAttention, LocationAttention, NoAttention
from lightning_modules.layers.copying import CopyVocabularyHead
from lightning_modules.layers.decoder import BahdanauDecoder, Decoder, LuongDecoder, MultiStepDecoder
from lightning_modules.layers.heads import VocabularyHead
from lightning_modules.layers.state import LEAST_SHARED_ROWS
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder
from tests.lightning_modules.decoding.sure_model import Rows, SureModel
from tests.lightning_modules.decoding.tiny_search import (
    GIVEN,
    LIVE,
    LONGEST,
    TRANSFORMER,
    VOCABULARY,
    Sayable,
    everything,
    rank,
    repeats,
    sources,
    tiny_model,
)

STATEFUL = [partial(kind, attention=CoverageAttention) for kind in (LuongDecoder, BahdanauDecoder, MultiStepDecoder)]
"""Decoders that know what they attended to before."""


def wide(length_penalty: float = 0.0, allow_unknown: bool = True, **options: float) -> BeamSearch:
    """A beam that holds everything that a small model can say."""
    return BeamSearch(
        VOCABULARY,
        length_penalty,
        n_best=10,
        max_length=LONGEST,
        allow_unknown=allow_unknown,
        **options,
    )


def anything(number: int, each: Sayable) -> bool:
    return True


def assert_best(
    model: TokenEncoderDecoder,
    search: BeamSearch,
    allowed: Callable[[int, Sayable], bool],
    prefixes: Padded | None = None,
    **penalties: float,
) -> None:
    """The search finds the best of what is allowed, of which there may be fewer than it is asked for."""
    for number, found in enumerate(model.translate(sources(*GIVEN), search, prefixes=prefixes)):
        sayable = [each for each in everything(model, GIVEN[number]) if allowed(number, each)]
        expected = sorted(sayable, key=lambda each: -rank(each, **penalties))[: search.n_best]
        assert [tuple(hypothesis.ids) for hypothesis in found] == [each.ids for each in expected]
        for hypothesis, each in zip(found, expected, strict=True):
            assert hypothesis.score == pytest.approx(rank(each, **penalties), abs=1e-9)
            assert hypothesis.log_probability == pytest.approx(each.log_probability, abs=1e-9)


@pytest.mark.parametrize("penalty", [0.0, 1.0])
@pytest.mark.parametrize("decoder", [LuongDecoder, BahdanauDecoder, MultiStepDecoder, TRANSFORMER])
def test_a_wide_beam_finds_what_enumeration_finds(decoder: Callable[..., Decoder], penalty: float, seed: int) -> None:
    assert_best(tiny_model(seed, decoder), wide(penalty), anything, length_penalty=penalty)


@pytest.mark.parametrize("decoder", [partial(LuongDecoder, attention=LocationAttention), *STATEFUL])
@pytest.mark.parametrize("head", [VocabularyHead, CopyVocabularyHead])
def test_a_wide_beam_keeps_what_each_prefix_attended_to_and_copies(
    decoder: Callable[..., Decoder], head: type[VocabularyHead], seed: int
) -> None:
    assert_best(tiny_model(seed, decoder, head=head), wide(1.0), anything, length_penalty=1.0)


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_a_wide_beam_finds_the_best_without_the_unknown_token(penalty: float, seed: int) -> None:
    search = wide(penalty, allow_unknown=False)
    assert_best(tiny_model(seed), search, lambda _, each: UNK not in each.ids, length_penalty=penalty)


def test_a_forced_prefix_may_have_the_unknown_token(seed: int) -> None:
    """With its log-probability, while nothing after it has the token, and no other sentence."""
    forced = [(5, UNK), ()]
    assert_best(
        tiny_model(seed),
        wide(allow_unknown=False),
        lambda number, each: (
            each.ids[: len(forced[number])] == forced[number] and UNK not in each.ids[len(forced[number]) :]
        ),
        Padded.from_sequences(forced),
    )


@pytest.mark.parametrize(
    "kind", [GreedySearch, BeamSearch, partial(BeamSearch, 1), partial(SamplingSearch, 20, temperature=3.0)]
)
def test_no_search_says_the_unknown_token_unless_it_may(kind: Callable[..., Search], seed: int) -> None:
    """Of a model that would say nothing else; nor of an ensemble of such. What is forced keeps its own probability."""
    models = [tiny_model(seed), tiny_model(seed + 1)]
    with torch.no_grad():
        for model in models:
            model.output.bias[UNK] += 12.0
    forced = Padded.from_sequences([[4, UNK], []])
    for searched in (models[0], Ensemble(models)):
        with torch.no_grad():
            allowed, forbidden, begun = (
                kind(max_length=6, allow_unknown=may)(searched, sources(*GIVEN), False, prefixes)
                for may, prefixes in ((True, None), (False, None), (False, forced))
            )
        assert any(UNK in each.ids for found in allowed for each in found)
        assert not any(UNK in each.ids for found in (*forbidden, begun[1]) for each in found)
        assert all(each.ids[:2] == [4, UNK] and UNK not in each.ids[2:] for each in begun[0])
        for source, found in zip(GIVEN, begun, strict=True):
            for each in found:
                scores = searched.score(SequenceBatch.from_pairs([source], [each.ids], torch.zeros(1)))
                assert each.log_probability == pytest.approx(scores.sum().item(), abs=1e-6)


def test_a_hypothesis_is_not_truncated_that_only_the_unknown_token_would_continue() -> None:
    """At its limit the model would say that token, and else end."""
    for may in (False, True):
        search = GreedySearch(max_length=2, allow_unknown=may)
        ((found,),) = search(SureModel([4, 5, UNK, 4]), sources([4]))
        assert (found.ids, found.truncated) == ([4, 5], may)


@pytest.mark.parametrize("search", [GreedySearch, BeamSearch, SamplingSearch])
def test_a_hypothesis_is_not_truncated_that_only_a_repetition_would_continue(search: type) -> None:
    """At its limit the model would say what it may not say again, and else end."""
    for size, cut in ((0, True), (1, False), (2, True)):
        ((found,),) = search(max_length=2, no_repeat_ngram_size=size)(SureModel([4, 5, 4, 5]), sources([4]))
        assert (found.ids, found.truncated) == ([4, 5], cut)
    said = SureModel([4, 5, 6, 7, 4, 5, 6])
    for length, cut in ((5, True), (6, False)):
        for (found,) in search(max_length=length, no_repeat_ngram_size=3)(said, sources([4], [4])):
            assert (len(found.ids), found.truncated) == (length, cut)


def test_a_vocabulary_without_the_unknown_token() -> None:
    """A model of one's own may have fewer ids than are reserved."""

    class Ends(SureModel):
        def step(self, tokens: torch.Tensor, memory: Rows, state: Rows) -> tuple[torch.Tensor, torch.Tensor, Rows]:
            log_probabilities, weights, state = super().step(tokens, memory, state)
            return log_probabilities[:, : EOS + 1], weights, state

    for search in (GreedySearch(), BeamSearch(2), SamplingSearch(max_length=3)):
        ((found, *_),) = search(Ends([]), sources([4]))
        assert found.ids == []


@pytest.mark.parametrize("penalty", [0.3, 20.0])
@pytest.mark.parametrize("decoder", [LuongDecoder, MultiStepDecoder, TRANSFORMER])
def test_coverage_penalty(decoder: Callable[..., Decoder], penalty: float, seed: int) -> None:
    """The two sources differ in length: padding of the shorter is not covered, and counts nothing."""
    search = wide(1.0, coverage_penalty=penalty)
    assert_best(tiny_model(seed, decoder), search, anything, length_penalty=1.0, coverage_penalty=penalty)


@pytest.mark.parametrize("size", [1, 2])
def test_no_repeated_ngrams(size: int, seed: int) -> None:
    assert_best(tiny_model(seed), wide(no_repeat_ngram_size=size), lambda _, each: not repeats(each.ids, size))


def test_forced_prefixes(seed: int) -> None:
    forced = [(5, 4), ()]
    assert_best(
        tiny_model(seed),
        wide(),
        lambda number, each: each.ids[: len(forced[number])] == forced[number],
        Padded.from_sequences(forced),
    )


def test_all_rules_and_penalties_together(seed: int) -> None:
    """A prefix may repeat n-grams, what follows it may not repeat them."""
    forced = [(4, 4), (5,)]

    def allowed(number: int, each: Sayable) -> bool:
        prefix, rest = each.ids[: len(forced[number])], each.ids[len(forced[number]) :]
        return prefix == forced[number] and len(each.ids) >= 2 and not (set(rest) & set(prefix) or repeats(rest, 1))

    search = wide(0.7, coverage_penalty=0.5, no_repeat_ngram_size=1, min_length=2)
    penalties = {"length_penalty": 0.7, "coverage_penalty": 0.5}
    assert_best(tiny_model(seed), search, allowed, Padded.from_sequences(forced), **penalties)


@pytest.mark.parametrize("search", [GreedySearch, BeamSearch])
def test_prefixes_and_lengths(search: type[GreedySearch | BeamSearch], seed: int) -> None:
    model, long = tiny_model(seed), [4, 5] * 8
    prefixes = Padded.from_sequences([long, []])
    (first,), (second,) = model.translate(sources(*GIVEN), search(max_ratio=0.1), prefixes=prefixes)
    assert first.ids == long, "a prefix goes before max_ratio, at whose limit a sentence ends"
    assert second.ids == model.translate(sources(GIVEN[1]), search(max_ratio=0.1))[0][0].ids
    none = Padded.from_sequences([[], []])
    for one, other in zip(
        model.translate(sources(*GIVEN), search(), prefixes=none),
        model.translate(sources(*GIVEN), search()),
        strict=True,
    ):
        assert [each.ids for each in one] == [each.ids for each in other]
    with pytest.raises(UserError, match="a forced prefix has 16 tokens, but max_length is 15"):
        model.translate(sources(*GIVEN), search(max_length=15), prefixes=prefixes)


@pytest.mark.parametrize(
    "search",
    [
        GreedySearch(max_length=12),
        BeamSearch(3, n_best=3, max_length=12),
        BeamSearch(3, n_best=3, max_ratio=0.9),
        BeamSearch(3, n_best=3, max_length=12, no_repeat_ngram_size=2, coverage_penalty=0.4),
    ],
)
@pytest.mark.parametrize("head", [VocabularyHead, CopyVocabularyHead])
def test_a_sentence_alone_and_in_a_batch(search: Search, head: type[VocabularyHead], seed: int) -> None:
    model = tiny_model(seed, partial(LuongDecoder, attention=CoverageAttention), head=head)
    given, forced = [[4, 5, 4, 4, 5, 5], [5], [4, 4, 5]], [[], [4, 4, 1], [5]]
    together = model.translate(sources(*given), search, True, Padded.from_sequences(forced))
    for source, prefix, found in zip(given, forced, together, strict=True):
        (alone,) = model.translate(sources(source), search, True, Padded.from_sequences([prefix]))
        assert [h.ids for h in found] == [h.ids for h in alone]
        for one, other in zip(found, alone, strict=True):
            assert one.score == pytest.approx(other.score, abs=1e-10)
            assert one.attention is not None
            assert one.attention.shape == (len(one.ids) + 1, len(source) + 1)
            torch.testing.assert_close(one.attention, other.attention, rtol=0, atol=1e-10)


@pytest.mark.parametrize("decoder", [LuongDecoder, BahdanauDecoder, MultiStepDecoder, STATEFUL[0]])
@pytest.mark.parametrize("search", [GreedySearch(), BeamSearch(beam_size=4)])
def test_many_sentences_share_what_is_the_same(search: Search, decoder: Callable[..., Decoder], seed: int) -> None:
    """So many rows that what comes of tokens and states is made once for those that differ: as with one sentence."""
    model = tiny_model(seed, decoder, head=VocabularyHead if isinstance(decoder, type) else CopyVocabularyHead)
    given = [torch.randint(3, LIVE, (length,)).tolist() for length in torch.randint(1, 7, (LEAST_SHARED_ROWS + 6,))]
    together = model.translate(sources(*given), search)
    for sequence, (found, *_) in list(zip(given, together, strict=True))[::4]:
        alone = model.translate(sources(sequence), search)[0][0]
        assert found.ids == alone.ids
        assert found.score == pytest.approx(alone.score, abs=1e-9)


@pytest.mark.parametrize("search", [GreedySearch, BeamSearch])
def test_attention_is_that_of_teacher_forcing_on_the_hypothesis(search: type, seed: int) -> None:
    model = tiny_model(seed, MultiStepDecoder)
    ((best, *_),) = model.translate(sources([4, 5, 5]), search(max_length=6), with_attention=True)
    with torch.no_grad():
        _, weights = model(SequenceBatch.from_pairs([[4, 5, 5]], [best.ids], torch.zeros(1)))
    assert best.heads is not None
    assert len(best.heads) == 2, "each of the decoder's layers attends"
    torch.testing.assert_close(best.heads, weights[0])
    torch.testing.assert_close(best.attention, weights[0].mean(dim=0))


@pytest.mark.parametrize("search", [GreedySearch, BeamSearch])
def test_lengths_are_kept(search: type, seed: int) -> None:
    model = tiny_model(seed)
    given = sources([4, 5], [5, 5, 5, 4])
    for minimum, maximum in [(0, 1), (3, 3), (4, 7)]:
        found = model.translate(given, search(min_length=minimum, max_length=maximum))
        assert all(minimum <= len(h.ids) <= maximum for each in found for h in each)
    long = model.translate(given, search(min_length=15, max_ratio=0.1))
    assert all(len(h.ids) == 15 for each in long for h in each), "min_length wins over the ratio"
    short = model.translate(given, search(min_length=0, max_length=100, max_ratio=0.01))
    assert all(len(h.ids) <= 10 for each in short for h in each)


@pytest.mark.parametrize("search", [GreedySearch, BeamSearch])
def test_the_limit_follows_from_the_training_pairs(search: type, seed: int) -> None:
    """Neither length nor ratio is given: twice the longest target and ten more, 1.25 times the ratio and ten more."""
    model = tiny_model(seed)
    with torch.no_grad():
        model.output.bias[EOS] = -50.0  # goes on for ever
    given = sources([4, 5], [4] * 30)
    assert [len(each[0].ids) for each in model.translate(given, search())] == [100, 100], "nothing is known"
    model.longest_target, model.longest_ratio = 12, 4.0
    (short,), (long,) = model.translate(given, search())
    assert (len(short.ids), len(long.ids)) == (25, 34)
    assert short.truncated
    assert long.truncated
    assert len(model.translate(given, search(max_length=50))[0][0].ids) == 50, "what is given holds alone"
    assert len(model.translate(given, search(max_ratio=20.0))[0][0].ids) == 70
    assert len(model.translate(given, search(max_length=50, max_ratio=20.0))[0][0].ids) == 50


def test_truncated_is_where_the_model_would_have_gone_on(seed: int) -> None:
    kinds = set()
    for model in (tiny_model(seed + number) for number in range(10)):
        for source, found in zip(
            GIVEN,
            model.translate(sources(*GIVEN), BeamSearch(5, n_best=2, max_length=3, allow_unknown=True)),
            strict=True,
        ):
            for each in found:
                with torch.no_grad():
                    hidden, _ = model(SequenceBatch.from_pairs([source], [each.ids], torch.zeros(1)))
                goes_on = model.output(hidden)[-1].argmax().item() != EOS
                assert each.truncated == (len(each.ids) == 3 and goes_on)
                kinds.add((len(each.ids) == 3, each.truncated))
    assert kinds >= {(False, False), (True, True)}


@pytest.mark.parametrize("search", [GreedySearch, BeamSearch, SamplingSearch])
def test_what_ends_by_itself_at_the_limit_is_not_truncated(search: type) -> None:
    for room in range(4):
        ((found,),) = search(max_length=3 + room)(SureModel([4, 5, 4, 5]), sources([4]))
        assert found.ids == [4, 5, 4, 5][: 3 + room]
        assert found.truncated == (room == 0)


@pytest.mark.parametrize("decoder", [LuongDecoder, TRANSFORMER])
def test_greedy_follows_the_most_probable_token(decoder: Callable[..., Decoder], seed: int) -> None:
    model = tiny_model(seed, decoder)
    ((found,),) = model.translate(sources([5, 4]), GreedySearch(max_length=10, allow_unknown=True))
    total = 0.0
    for length, token in enumerate([*found.ids, EOS]):
        with torch.no_grad():
            hidden, _ = model(SequenceBatch.from_pairs([[5, 4]], [found.ids[:length]], torch.zeros(1)))
            step = model.output(hidden)[-1].log_softmax(-1)
        if length < 10:
            assert step.argmax().item() == token
        total += step[token].item()
    assert found.log_probability == pytest.approx(total, abs=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"beam_size": 0}, "beam_size is 0: give at least 1"),
        (
            {"beam_size": 2, "n_best": 3},
            "n_best is 3, but a beam of 2 finds 2 at most: raise beam_size to 3 or lower n_best to 2",
        ),
        ({"n_best": 0}, "n_best is 0"),
        ({"length_penalty": -1.0}, "length_penalty is -1.0"),
        ({"max_length": 0}, "max_length is 0"),
        ({"min_length": 5, "max_length": 4}, "min_length is 5"),
        ({"max_ratio": 0.0}, "max_ratio is 0.0"),
        ({"no_repeat_ngram_size": -1}, "no_repeat_ngram_size is -1"),
        ({"coverage_penalty": -0.5}, "coverage_penalty is -0.5"),
    ],
)
def test_impossible_searches_are_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        BeamSearch(**arguments)


def test_searches_that_do_not_fit_the_model(seed: int) -> None:
    model = tiny_model(seed)
    with pytest.raises(UserError, match="beam_size is 161, but the target vocabulary has 160 tokens"):
        model.translate(sources([4]), BeamSearch(161))
    with pytest.raises(UserError, match="beam_size is 9, but the target vocabulary has 8 tokens"):
        TokenEncoderDecoder(8, 8, test_search=BeamSearch(9))
    plain = TokenEncoderDecoder(8, 8, decoder=lambda size, memory: LuongDecoder(size, memory, attention=NoAttention))
    with pytest.raises(UserError, match=r"coverage_penalty is 0\.2, but the model has no attention"):
        plain.translate(sources([4]), BeamSearch(coverage_penalty=0.2))
    assert plain.translate(sources([4]), BeamSearch(max_length=3))


@pytest.mark.parametrize("search", [GreedySearch(), BeamSearch()])
def test_spoilt_weights_are_told(search: Search, seed: int) -> None:
    model = tiny_model(seed)
    with torch.no_grad():
        model.output.weight[4] = torch.nan
    with pytest.raises(RunFailed, match="probabilities are NaN"):
        model.translate(sources([4, 5]), search)


def test_a_model_in_sixteen_bits_pays_for_coverage(seed: int) -> None:
    (found,) = tiny_model(seed).bfloat16().translate(sources([4, 5]), BeamSearch(3, coverage_penalty=0.3))
    assert found[0].score <= found[0].log_probability / ((6 + len(found[0].ids)) / 6) + 1e-6
