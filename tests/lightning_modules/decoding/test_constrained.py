"""Phrases that have to occur, against enumeration of everything that a small model can say."""

import math

import pytest
import torch

from datamodules.batch import EOS, UNK, Padded
from datamodules.errors import UserError
from lightning_modules.decoding.beam import BeamSearch
from lightning_modules.decoding.constrained import constrained
from lightning_modules.decoding.terms import Terms
from tests.lightning_modules.decoding.tiny_search import (
    LONGEST,
    VOCABULARY,
    everything,
    known,
    rank,
    repeats,
    sources,
    tiny_model,
)

GIVEN = [[4, 5, 4], [5], [4, 4]]


def occurs(phrase: list[int], ids: list[int]) -> bool:
    return any(ids[start : start + len(phrase)] == phrase for start in range(len(ids) - len(phrase) + 1))


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_a_wide_beam_finds_the_best_that_has_them(length_penalty: float, seed: int) -> None:
    phrases: list[list[list[int]]] = [[[5, 0], [4]], [], [[0, 4, 5]]]
    model = tiny_model(seed)
    beam = BeamSearch(VOCABULARY, length_penalty, n_best=3, max_length=LONGEST, allow_unknown=True)
    found = model.translate(sources(*GIVEN), constrained(beam, [Terms(each) for each in phrases]))
    for source, needed, hypotheses in zip(GIVEN, phrases, found, strict=True):
        sayable = [each for each in everything(model, source) if all(occurs(p, [*each.ids]) for p in needed)]
        wanted = sorted(sayable, key=lambda each: -rank(each, length_penalty))[:3]
        assert [tuple(each.ids) for each in hypotheses] == [each.ids for each in wanted]
        for hypothesis, each in zip(hypotheses, wanted, strict=True):
            assert hypothesis.score == pytest.approx(rank(each, length_penalty), abs=1e-9)


@pytest.mark.parametrize("beam_size", [1, 2, 5])
def test_a_narrow_beam_finds_something_that_has_them(beam_size: int, seed: int) -> None:
    """However improbable they are, and at the least length that has room for them."""
    phrases = [[5, 4, 4], [0, 0], [3]]
    model = tiny_model(seed, sharpness=8.0)
    for max_length in (6, 12):
        search = constrained(BeamSearch(beam_size, max_length=max_length, allow_unknown=True), [Terms(phrases)] * 3)
        for best, *_ in model.translate(sources(*GIVEN), search):
            assert all(occurs(phrase, best.ids) for phrase in phrases)
            assert len(best.ids) <= max_length
            assert best.log_probability > -math.inf


@pytest.mark.parametrize("beam_size", [1, 2, 5])
@pytest.mark.parametrize(
    ("phrases", "size"),
    [([[4, 4]], 1), ([[4, 5], [0, 4]], 1), ([[4, 5, 4, 5]], 2), ([[4, 5, 0], [5, 0, 4], [5, 0, 5]], 2)],
)
def test_phrases_may_repeat_what_nothing_else_may(
    phrases: list[list[int]], size: int, beam_size: int, seed: int
) -> None:
    """Where the rule stood against a phrase there was no hypothesis."""
    model = tiny_model(seed)
    beam = BeamSearch(beam_size, max_length=12, no_repeat_ngram_size=size)
    terms = [Terms(phrases), Terms([]), Terms(phrases)]
    found = model.translate(sources(*GIVEN), constrained(beam, terms))
    for each in (0, 2):
        ids = found[each][0].ids
        assert all(occurs(phrase, ids) for phrase in phrases)
        repeated = {ids[at + size - 1] for at in range(len(ids)) if ids[at : at + size] in _before(ids, at, size)}
        assert repeated <= {token for phrase in phrases for token in phrase}
    assert not repeats(tuple(found[1][0].ids), size), "without phrases the rule holds"
    own = model.translate(sources(GIVEN[1]), beam)[0][0]
    assert (found[1][0].ids, found[1][0].score) == (own.ids, pytest.approx(own.score, abs=1e-9))


def _before(ids: list[int], place: int, size: int) -> list[list[int]]:
    """The sequences of so many ids that begin before a place."""
    return [ids[start : start + size] for start in range(place)]


def test_phrases_that_repeat_nothing_are_found_under_the_rule_as_by_enumeration(seed: int) -> None:
    model = tiny_model(seed)
    beam = BeamSearch(VOCABULARY, 0.0, n_best=1, max_length=LONGEST, no_repeat_ngram_size=2)
    for source in GIVEN:
        ((best,),) = model.translate(sources(source), constrained(beam, [Terms([[5, 4]])]))
        sayable = known(each for each in everything(model, source) if occurs([5, 4], [*each.ids]))
        wanted = max((each for each in sayable if not repeats(each.ids, 2)), key=rank)
        assert best.log_probability == pytest.approx(wanted.log_probability, abs=1e-9)


def test_a_phrase_that_no_search_writes_is_refused(seed: int) -> None:
    with pytest.raises(UserError, match="a phrase has the unknown token"):
        tiny_model(seed).translate(sources(GIVEN[0]), constrained(BeamSearch(2), [Terms([[4, UNK]])]))


def test_without_phrases_it_is_beam_search(seed: int) -> None:
    model = tiny_model(seed)
    beam = BeamSearch(4, n_best=4, max_length=6, allow_unknown=True)
    plain = model.translate(sources(*GIVEN), beam, with_attention=True)
    found = model.translate(sources(*GIVEN), constrained(beam, [Terms([])] * 3), with_attention=True)
    for ours, theirs in zip(found, plain, strict=True):
        assert [(each.ids, each.score) for each in ours] == [(each.ids, each.score) for each in theirs]


def test_a_sentence_beside_others_and_alone(seed: int) -> None:
    model = tiny_model(seed)
    beam, terms = (
        BeamSearch(3, n_best=2, max_length=7, allow_unknown=True),
        [Terms([[3, 0]]), Terms([]), Terms([[5], [4, 0]])],
    )
    together = model.translate(sources(*GIVEN), constrained(beam, terms))
    for source, own, found in zip(GIVEN, terms, together, strict=True):
        (alone,) = model.translate(sources(source), constrained(beam, [own]))
        assert [each.ids for each in found] == [each.ids for each in alone]
        assert [each.score for each in found] == pytest.approx([each.score for each in alone], abs=1e-9)


def test_beside_a_forced_beginning_and_the_training_pairs_limit(seed: int) -> None:
    model = tiny_model(seed)
    model.longest_target, model.longest_ratio = 2, 0.5
    terms = [Terms([[3, 0, 3, 0, 3, 0]])] * 3
    forced = Padded.from_sequences([[5, 5], [], [4]])
    for beginning, (best,) in zip(
        [[5, 5], [], [4]],
        model.translate(sources(*GIVEN), constrained(BeamSearch(2, allow_unknown=True), terms), prefixes=forced),
        strict=True,
    ):
        assert best.ids[: len(beginning)] == beginning
        assert occurs([3, 0, 3, 0, 3, 0], best.ids)
    with pytest.raises(UserError, match="have 8 tokens, with what is forced before them, but max_length is 7"):
        model.translate(sources(*GIVEN), constrained(BeamSearch(2, max_length=7), terms), prefixes=forced)


@pytest.mark.parametrize(
    ("tokens", "progress", "following"),
    [
        ((), 0, {7, 9}),
        ((7,), 1, {7, 9}),
        ((7, 7), 2, {8, 9}),
        ((7, 7, 7), 2, {8, 9}),
        ((7, 7, 7, 8), 3, {9}),
        ((7, 7, 3), 0, {7, 9}),
        ((9, 7), 2, {7}),
        ((7, 7, 8, 2, 9), 4, set()),
    ],
)
def test_progress(tokens: tuple[int, ...], progress: int, following: set[int]) -> None:
    terms = Terms([[7, 7, 8], [9], [9], []])
    assert terms.length == 4
    assert terms.progress(tokens) == progress
    assert terms.next_tokens(tokens) == following
    assert EOS not in following


def test_the_beam_is_shared_among_numbers_of_tokens(seed: int) -> None:
    """Six places for prefixes with 0, 1 and 2 tokens of the phrase: two for each, where so many are there."""
    terms = Terms([[4, 5]])
    allowed = torch.tensor([[-9.0, -1.0, -9.0, -9.0, -30.0, -2.0], [-9.0, -3.0, -9.0, -9.0, -40.0, -50.0]]).double()
    before = torch.tensor([[1], [4]]).numpy()
    found = terms.continuations(torch.zeros(2).double().numpy(), before, allowed, size=6, count=12)
    kept = [terms.progress((*before[each.row].tolist(), each.token)) for each in found]
    assert sorted(kept, reverse=True)[0] == 2
    assert kept.count(1) == 2
    assert all(each.token != EOS for each in found)
