"""Beams that do not keep everything: against beam search by hand, and against greedy search."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from datamodules.batch import Padded
from lightning_modules.decoding.beam import BeamSearch
from lightning_modules.decoding.greedy import GreedySearch
from tests.lightning_modules.decoding.sure_model import SureModel
from tests.lightning_modules.decoding.tiny_search import (
    GIVEN,
    LIVE,
    LONGEST,
    Sayable,
    everything,
    known,
    rank,
    sources,
    tiny_model,
)


class SearchToTheEnd(BeamSearch):
    """Beam search that never stops before nothing is open: the bound on what a prefix can score is lifted."""

    def _bound(self, log_probabilities: np.ndarray, limits: np.ndarray) -> np.ndarray:
        return np.where(np.isfinite(log_probabilities), np.inf, -np.inf)


def beam_by_hand(sayable: list[Sayable], size: int, n_best: int, longest: int, **penalties: float) -> list[Sayable]:
    """Beam search with lists, that goes on until nothing is open: nothing is lost by stopping."""
    said = {each.ids: each for each in sayable}
    prefixes: list[tuple[int, ...]] = [()]
    found: list[Sayable] = []
    while prefixes:
        continued: list[tuple[float, tuple[int, ...], bool]] = []
        for ids in prefixes:
            continued.append((said[ids].log_probability, ids, True))
            if len(ids) < longest:
                longer = [said[(*ids, token)] for token in range(LIVE) if (*ids, token) in said]
                continued.extend((sum(each.tokens[:-1]), each.ids, False) for each in longer)
        continued.sort(reverse=True)
        found.extend(said[ids] for _, ids, ends in continued[:size] if ends)
        prefixes = [ids for _, ids, ends in continued if not ends][:size]
    return sorted(found, key=lambda each: -rank(each, **penalties))[:n_best]


@pytest.mark.parametrize(("size", "n_best"), [(2, 1), (3, 2), (5, 5)])
@pytest.mark.parametrize("penalties", [(0.0, 0.0), (1.0, 0.0), (3.0, 0.1)])
@pytest.mark.parametrize(("sharpness", "longest"), [(3.0, LONGEST), (40.0, 4)])
def test_a_narrow_beam_finds_what_it_finds_by_hand(
    size: int, n_best: int, penalties: tuple[float, float], sharpness: float, longest: int, seed: int
) -> None:
    """Also where the engine stops early, because no open prefix can become one of the best."""
    length_penalty, coverage_penalty = penalties
    search = BeamSearch(size, length_penalty, n_best, longest, coverage_penalty=coverage_penalty)
    for model in (tiny_model(seed + number, sharpness=sharpness) for number in range(10)):
        for source, found in zip(GIVEN, model.translate(sources(*GIVEN), search), strict=True):
            expected = beam_by_hand(
                known(everything(model, source, longest)),
                size,
                n_best,
                longest,
                length_penalty=length_penalty,
                coverage_penalty=coverage_penalty,
            )
            assert [tuple(each.ids) for each in found] == [each.ids for each in expected]


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_what_a_sure_model_says_is_found_however_many_bad_hypotheses_end_before(length_penalty: float) -> None:
    """Five hypotheses have ended after five tokens, each of them worse than the open prefix by twelve nats."""
    said = [4, 5] * 12
    search = BeamSearch(5, length_penalty)
    ((found,),) = search(SureModel(said), sources([4]))
    assert found.ids == said
    assert found.log_probability == pytest.approx(0, abs=1e-3)
    assert not found.truncated


@pytest.mark.parametrize("sharpness", [3.0, 40.0])
def test_no_hypothesis_is_worse_than_a_prefix_that_was_still_open(sharpness: float, seed: int) -> None:
    """Beside the same search that goes on to the longest hypothesis that is allowed."""
    given = sources([5], [5, 4, 4], [4, 5, 4, 4] * 6)
    for model in (tiny_model(seed + number, sharpness=sharpness) for number in range(10)):
        for penalty in (0.0, 1.0, 1.4):
            search, to_the_end = (kind(3, penalty, 2, max_ratio=0.7) for kind in (BeamSearch, SearchToTheEnd))
            for found, expected in zip(model.translate(given, search), model.translate(given, to_the_end), strict=True):
                assert [each.ids for each in found] == [each.ids for each in expected]
                assert [each.score for each in found] == pytest.approx([each.score for each in expected], abs=1e-12)


def test_beam_search_of_a_nearly_sure_model_is_not_worse_than_greedy_search(seed: int) -> None:
    """Unless the beam drops its way, for prefixes that are more probable for a while: never by stopping."""
    given = sources([4, 5, 4, 4], [5], [5, 4, 4])
    better = 0
    for model in (tiny_model(seed + number, sharpness=40.0) for number in range(30)):
        found = [
            model.translate(given, search)
            for search in (BeamSearch(5, 0.0, max_length=12), GreedySearch(12), SearchToTheEnd(5, 0.0, max_length=12))
        ]
        for (beam,), (greedy,), (to_the_end,) in zip(*found, strict=True):
            assert beam.score >= min(greedy.score, to_the_end.score) - 1e-9
            better += to_the_end.score >= greedy.score - 1e-9
    assert better > 80, "of 90: there a beam that is stopped early would show"


def test_a_sentence_can_always_end(seed: int) -> None:
    """Four tokens that may be said beside EOS, none twice: min_length cannot be had, and gives in."""
    model = tiny_model(seed)
    for search in (GreedySearch, BeamSearch):
        found = model.translate(sources(*GIVEN), search(min_length=15, max_length=20, no_repeat_ngram_size=1))
        assert all(sorted(each[0].ids) == [0, 1, 4, 5] for each in found)


@pytest.mark.parametrize(("coverage_penalty", "length_penalty"), [(0.0, 1.0), (1e-12, 0.0)])
@pytest.mark.parametrize("options", [{}, {"no_repeat_ngram_size": 2}, {"min_length": 8}])
def test_beam_of_one_equals_greedy(
    options: dict[str, int], coverage_penalty: float, length_penalty: float, seed: int
) -> None:
    """With a coverage that is worth next to nothing, a beam of one goes the way of larger ones.

    Which is not greedy search where a longer hypothesis may be worth more than one that has ended.
    """
    generator = torch.Generator().manual_seed(seed)
    given = [torch.randint(4, LIVE, (length,), generator=generator).tolist() for length in range(1, 9)]
    prefixes = Padded.from_sequences([ids[: number % 4] for number, ids in enumerate(given)])
    model = tiny_model(seed)
    greedy = model.translate(sources(*given), GreedySearch(12, **options), True, prefixes)
    penalties = {"length_penalty": length_penalty, "coverage_penalty": coverage_penalty}
    search = BeamSearch(1, max_length=12, **penalties, **options)
    beam = model.translate(sources(*given), search, True, prefixes)
    for (one,), (other,) in zip(greedy, beam, strict=True):
        assert one.ids == other.ids
        assert one.log_probability == pytest.approx(other.log_probability, abs=1e-9)
        assert other.score == pytest.approx(
            other.log_probability * (6 / (6 + len(other.ids))) ** length_penalty, abs=1e-9
        )
        assert one.attention is not None
        assert other.attention is not None
        torch.testing.assert_close(one.attention, other.attention)


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 1.0, 2.0])
def test_a_beam_of_one_that_looks_further_is_never_worse_than_greedy(length_penalty: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    given = [torch.randint(4, LIVE, (length,), generator=generator).tolist() for length in range(1, 9)]
    model = tiny_model(seed)
    by_greedy = BeamSearch(1, length_penalty, max_length=12)
    further = BeamSearch(1, length_penalty, max_length=12, coverage_penalty=1e-12)
    for (one,), (other,) in zip(
        model.translate(sources(*given), by_greedy), model.translate(sources(*given), further), strict=True
    ):
        assert other.score >= one.score - 1e-9


def test_n_best_are_distinct_and_sorted(seed: int) -> None:
    (found,) = tiny_model(seed).translate(sources([4, 5, 4]), BeamSearch(5, n_best=5, max_length=8))
    assert len({tuple(h.ids) for h in found}) == len(found) == 5
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)
