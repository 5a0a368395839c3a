"""The searches on any tiny model, source and rules, against enumeration of everything that the model can say."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.batch import UNK, Padded
from lightning_modules.decoding.beam import BeamSearch
from lightning_modules.decoding.greedy import GreedySearch
from lightning_modules.decoding.search import Search
from lightning_modules.layers.decoder import BahdanauDecoder, LuongDecoder, MultiStepDecoder
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder
from tests.lightning_modules.decoding.test_narrow_beams import beam_by_hand
from tests.lightning_modules.decoding.tiny_search import (
    LIVE,
    LONGEST,
    TRANSFORMER,
    VOCABULARY,
    Sayable,
    everything,
    known,
    rank,
    repeats,
    sources,
    tiny_model,
)

MODELS = st.builds(
    tiny_model, st.integers(0, 2**31), st.sampled_from([LuongDecoder, BahdanauDecoder, MultiStepDecoder, TRANSFORMER])
)
SOURCE = st.lists(st.integers(4, LIVE - 1), min_size=1, max_size=7)
PENALTIES = st.fixed_dictionaries(
    {"length_penalty": st.sampled_from([0.0, 0.6, 1.0, 3.0]), "coverage_penalty": st.sampled_from([0.0, 0.2, 5.0])}
)


@dataclass(frozen=True)
class Allowed:
    """Rules that a hypothesis keeps."""

    prefix: tuple[int, ...]
    min_length: int
    no_repeat_ngram_size: int
    allow_unknown: bool

    def __call__(self, each: Sayable) -> bool:
        size, forced = self.no_repeat_ngram_size, len(self.prefix)
        if each.ids[:forced] != self.prefix or len(each.ids) < self.min_length:
            return False
        if not self.allow_unknown and UNK in each.ids[forced:]:
            return False
        # A prefix may repeat n-grams; one that ends behind it may not have come before.
        ends = range(max(size, forced + 1), len(each.ids) + 1)
        return not size or not any(self._came_before(each.ids[:end]) for end in ends)

    def _came_before(self, ids: tuple[int, ...]) -> bool:
        size = self.no_repeat_ngram_size
        return ids[-size:] in [ids[start : start + size] for start in range(len(ids) - size)]


RULES = st.builds(
    Allowed,
    st.lists(st.sampled_from([1, 3, 4, 5]), max_size=2).map(tuple),
    st.integers(0, 2),
    st.integers(0, 2),
    st.booleans(),
)


def same_hypotheses(one: Search, other: Search, model: TokenEncoderDecoder, given: list[list[int]]) -> None:
    """Two searches find the same, the second on each source by itself."""
    together = model.translate(sources(*given), one)
    for source, found in zip(given, together, strict=True):
        (alone,) = model.translate(sources(source), other)
        assert [each.ids for each in found] == [each.ids for each in alone]
        for mine, theirs in zip(found, alone, strict=True):
            assert mine.log_probability == pytest.approx(theirs.log_probability, abs=1e-9)


@settings(max_examples=25)
@given(MODELS, st.lists(SOURCE, min_size=1, max_size=2), PENALTIES, RULES)
def test_a_wide_beam_finds_the_best_of_all(
    model: TokenEncoderDecoder, given: list[list[int]], penalties: dict[str, float], allowed: Allowed
) -> None:
    """Also where it finishes early: what it leaves open is no better."""
    search = BeamSearch(
        VOCABULARY,
        n_best=3,
        max_length=LONGEST,
        max_ratio=None,
        min_length=allowed.min_length,
        no_repeat_ngram_size=allowed.no_repeat_ngram_size,
        allow_unknown=allowed.allow_unknown,
        **penalties,
    )
    prefixes = Padded.from_sequences([allowed.prefix] * len(given))
    for source, found in zip(given, model.translate(sources(*given), search, prefixes=prefixes), strict=True):
        best = sorted((rank(each, **penalties) for each in everything(model, source) if allowed(each)), reverse=True)
        assert [each.score for each in found] == pytest.approx(best[:3], abs=1e-9)


@settings(max_examples=25)
@given(MODELS, SOURCE, PENALTIES, st.integers(1, 6))
def test_a_narrow_beam_that_finishes_early_leaves_none_better(
    model: TokenEncoderDecoder, source: list[int], penalties: dict[str, float], size: int
) -> None:
    """The same beam by hand goes on to its end."""
    search = BeamSearch(size, n_best=1, max_length=LONGEST, max_ratio=None, **penalties)
    ((found,),) = model.translate(sources(source), search)
    (expected,) = beam_by_hand(known(everything(model, source)), size, 1, LONGEST, **penalties)
    assert tuple(found.ids) == expected.ids


@settings(max_examples=25)
@given(MODELS, st.lists(SOURCE, min_size=1, max_size=6), st.integers(0, 3), st.integers(1, 12))
def test_greedy_is_a_beam_of_one_and_a_batch_changes_nothing(
    model: TokenEncoderDecoder, given: list[list[int]], size: int, longest: int
) -> None:
    greedy = GreedySearch(longest, no_repeat_ngram_size=size)
    same_hypotheses(greedy, BeamSearch(1, max_length=longest, no_repeat_ngram_size=size), model, given)
    for search in (greedy, BeamSearch(4, n_best=4, max_length=longest, no_repeat_ngram_size=size)):
        same_hypotheses(search, search, model, given)


def test_what_repeats_is_told_apart() -> None:
    """The rule of this test is that of the other tests, where nothing is forced."""
    for ids in [(4, 4), (4, 5, 4), (4, 5, 4, 5), (4, 5, 5, 4)]:
        for size in (1, 2):
            each = Sayable(ids, [0.0] * (len(ids) + 1), None)
            assert Allowed((), 0, size, True)(each) == (not repeats(ids, size))
