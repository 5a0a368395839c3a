"""Diverse beam search against a plain one, group by group and prefix by prefix."""

import math
from collections import Counter
from functools import partial

import pytest
import torch

from datamodules.batch import BOS, EOS, UNK
from datamodules.errors import UserError
from lightning_modules.decoding.beam import BeamSearch, BeamStep
from lightning_modules.decoding.diverse import DiverseBeamSearch, _GroupedBeamSearch
from lightning_modules.layers.decoder import LuongDecoder
from lightning_modules.layers.encoder import RecurrentEncoder
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder
from tests.lightning_modules.decoding.tiny_search import sources, tiny_model

LONGEST = 5
GIVEN = [[4, 5, 4], [5], [4, 4, 5, 5]]


@torch.no_grad()
def next_tokens(model: TokenEncoderDecoder, source: list[int], prefix: list[int]) -> list[float]:
    """Log-probabilities of the next token, from the beginning each time."""
    memory, state = model.encode(sources(source))
    for token in [BOS, *prefix]:
        log_probabilities, _, state = model.step(torch.tensor([token]), memory, state)
    return log_probabilities[0].tolist()


def by_hand(
    model: TokenEncoderDecoder, source: list[int], width: int, groups: int, diversity: float
) -> list[tuple[list[int], float]]:
    """All hypotheses that end within the beam of a group, with their log-probabilities."""
    open_ones: list[list[tuple[list[int], float]]] = [[([], 0.0)] for _ in range(groups)]
    ended: list[tuple[list[int], float]] = []
    for length in range(LONGEST + 1):
        chosen: Counter[int] = Counter()
        for group in range(groups):
            continuations = []
            for prefix, total in open_ones[group]:
                for token, log_probability in enumerate(next_tokens(model, source, prefix)):
                    if log_probability > -math.inf and (length < LONGEST or token == EOS):
                        found = total + log_probability
                        continuations.append((found - diversity * chosen[token], found, [*prefix, token]))
            continuations.sort(key=lambda each: -each[0])
            ended += [(prefix[:-1], total) for _, total, prefix in continuations[:width] if prefix[-1] == EOS]
            open_ones[group] = [(prefix, total) for _, total, prefix in continuations if prefix[-1] != EOS][:width]
            chosen.update(prefix[-1] for prefix, _ in open_ones[group])
    return ended


@pytest.mark.parametrize(("groups", "diversity"), [(3, 0.7), (2, 3.0), (4, 0.1), (3, 0.0)])
def test_the_best_of_all_groups(groups: int, diversity: float, seed: int) -> None:
    model = tiny_model(seed)
    width = 2
    search = DiverseBeamSearch(
        width * groups, groups, diversity, length_penalty=0.0, max_length=LONGEST, allow_unknown=True
    )
    for source, (best,) in zip(GIVEN, model.translate(sources(*GIVEN), search), strict=True):
        wanted = max(by_hand(model, source, width, groups, diversity), key=lambda each: each[1])
        assert best.ids == wanted[0]
        assert best.score == best.log_probability == pytest.approx(wanted[1], abs=1e-9)


def test_hypotheses_are_distinct_and_sorted_and_those_by_hand(seed: int) -> None:
    model = tiny_model(seed)
    search = DiverseBeamSearch(
        6, 3, diversity=2.0, length_penalty=0.0, n_best=6, max_length=LONGEST, allow_unknown=True
    )
    for source, found in zip(GIVEN, model.translate(sources(*GIVEN), search), strict=True):
        assert len({tuple(each.ids) for each in found}) == len(found) > 1
        assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
        ended = {tuple(ids): total for ids, total in by_hand(model, source, 2, 3, 2.0)}
        for each in found:
            assert each.score == pytest.approx(ended[tuple(each.ids)], abs=1e-9)


@pytest.mark.parametrize(("groups", "diversity"), [(1, 5.0), (3, 0.0)])
def test_one_group_or_no_diversity_is_beam_search(groups: int, diversity: float, seed: int) -> None:
    model = tiny_model(seed)
    diverse = DiverseBeamSearch(3 * groups, groups, diversity, n_best=3, max_length=LONGEST)
    beam = BeamSearch(3, n_best=3, max_length=LONGEST)
    for ours, theirs in zip(
        model.translate(sources(*GIVEN), diverse), model.translate(sources(*GIVEN), beam), strict=True
    ):
        assert [each.ids for each in ours] == [each.ids for each in theirs]
        assert [each.score for each in ours] == pytest.approx([each.score for each in theirs], abs=1e-9)


def test_groups_begin_differently(seed: int) -> None:
    """Where each repetition costs more than any token is improbable."""
    model = tiny_model(seed, sharpness=0.3)
    search = DiverseBeamSearch(3, 3, diversity=1000.0, n_best=3, max_length=LONGEST, min_length=1)
    for found in model.translate(sources(*GIVEN), search):
        assert len({each.ids[0] for each in found}) == 3


class Recording(_GroupedBeamSearch):
    """Keeps the tokens that each group goes on with at the first step, and every step."""

    def __init__(self, width: int, groups: int, diversity: float) -> None:
        super().__init__(BeamSearch(width, n_best=width, max_length=LONGEST), groups, diversity)
        self.begun: list[list[int]] = []
        self.steps: list[BeamStep] = []

    def _observe(self, step: BeamStep) -> None:
        self.steps.append(step)
        if not self.begun:
            self.begun = [step.tokens[row][kept].tolist() for row, kept in enumerate(step.kept)]


def test_no_continuation_comes_twice_where_the_vocabulary_is_hardly_larger_than_a_group(seed: int) -> None:
    """There are fewer tokens than continuations are asked for: those that there are not are minus infinity."""
    torch.manual_seed(seed)
    model = TokenEncoderDecoder(6, 6, partial(RecurrentEncoder, hidden_size=4), partial(LuongDecoder, hidden_size=5))
    search = Recording(5, 2, 0.5)
    model.eval().translate(sources(GIVEN[0], GIVEN[0]), search)
    for step in search.steps:
        for totals, rows, tokens in zip(step.totals, step.rows, step.tokens, strict=True):
            there = [(row, token) for total, row, token in zip(totals, rows, tokens, strict=True) if total > -math.inf]
            assert len(set(there)) == len(there)
            assert UNK not in [token for _, token in there]


@pytest.mark.parametrize("width", [1, 2])
def test_groups_begin_differently_where_a_hypothesis_ends_at_once(width: int, seed: int) -> None:
    """What the others keep is dear to a group, whether or not an end is more probable than that."""
    model = tiny_model(seed, sharpness=0.3)
    with torch.no_grad():
        model.output.bias[EOS] += 30.0
    search = Recording(width, 2, 1000.0)
    model.translate(sources(GIVEN[0], GIVEN[0]), search)
    first, second = search.begun
    assert len({*first, *second}) == 2 * width


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"beam_size": 5, "groups": 2}, "groups is 2, which does not divide beam_size, 5"),
        ({"groups": 0}, "groups is 0"),
        ({"diversity": -1.0}, "diversity is -1.0: give 0 or more"),
        ({"n_best": 7}, "n_best is 7: give 1 to beam_size, which is 6"),
    ],
)
def test_impossible_searches_are_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        DiverseBeamSearch(**arguments)
