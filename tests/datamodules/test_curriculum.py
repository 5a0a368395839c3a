"""Which batches come when: equal numbers of them, and no longer sentences than the curriculum allows."""

import math
from itertools import pairwise

import numpy as np
import pytest

from datamodules.curriculum import Competence, Curriculum, ShortestFirst, Shuffled
from datamodules.errors import UserError
from datamodules.plan import BatchPlan


@pytest.fixture
def lengths(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 40, size=(3000, 2))


def longest(plan: BatchPlan, lengths: np.ndarray, epoch: int) -> np.ndarray:
    """The length of the longest sentence of each batch, on either side."""
    return np.array([lengths[batch].max() for batch in plan.batches(epoch)])


@pytest.mark.parametrize("curriculum", [Shuffled(), ShortestFirst(2), Competence(3.0)])
def test_an_epoch_has_as_many_batches_whatever_the_curriculum(
    curriculum: Curriculum, lengths: np.ndarray, seed: int
) -> None:
    plan = BatchPlan(lengths, 64, shuffle=True, seed=seed, curriculum=curriculum)
    for epoch in range(5):
        batches = plan.batches(epoch)
        assert len(batches) == len(plan) == -(-3000 // 64)
        again = plan.batches(epoch)
        assert all(np.array_equal(one, other) for one, other in zip(batches, again, strict=True))
    assert sorted(np.concatenate(plan.batches(4))) == list(range(3000)), "after the curriculum every pair once"


def test_shortest_first_rises_then_shuffles(lengths: np.ndarray, seed: int) -> None:
    plan = BatchPlan(lengths, 64, shuffle=True, seed=seed, curriculum=ShortestFirst(1))
    assert (np.diff(longest(plan, lengths, 0)) > -plan.mixing).all(), "lengths within a bucket are mixed"
    assert sorted(np.concatenate(plan.batches(0))) == list(range(3000))
    assert (np.diff(longest(plan, lengths, 1)) < -10).any()


def test_competence_keeps_long_sentences_for_later(lengths: np.ndarray, seed: int) -> None:
    curriculum = Competence(length=2.0, initial=0.1)
    plan = BatchPlan(lengths, 64, shuffle=True, seed=seed, curriculum=curriculum)
    ordered = np.sort(lengths.max(axis=1))
    for epoch in range(2):
        for place, found in enumerate(longest(plan, lengths, epoch)):
            share = curriculum.competence(epoch + place / len(plan))
            rank = min(len(ordered) - 1, math.ceil(share * len(plan)) * 64)
            assert found <= ordered[rank] + plan.mixing, "a bucket is as wide as what is mixed"
    early, late = longest(plan, lengths, 0)[:10].mean(), longest(plan, lengths, 2).mean()
    assert early < 0.7 * late


def test_from_a_competence_of_1_every_pair_comes_once(lengths: np.ndarray, seed: int) -> None:
    plan = BatchPlan(lengths, 64, shuffle=True, seed=seed, curriculum=Competence(initial=1.0))
    assert sorted(np.concatenate(plan.batches(0))) == list(range(3000))


@pytest.mark.parametrize("power", [1.0, 2.0, 5.0])
def test_competence_begins_and_ends_where_it_should(power: float) -> None:
    curriculum = Competence(4.0, 0.05, power)
    values = [curriculum.competence(time) for time in np.linspace(0, 6, 61)]
    assert values[0] == pytest.approx(0.05)
    assert values[40:] == [1.0] * 21
    assert all(one <= other for one, other in pairwise(values))
    # the paper's square root
    if power == 2.0:
        assert curriculum.competence(1.0) == pytest.approx(math.sqrt(1.0 * (1 - 0.05**2) / 4.0 + 0.05**2))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ShortestFirst(-1), "epochs of ShortestFirst are -1"),
        (lambda: Competence(0.0), "length of Competence is 0.0"),
        (lambda: Competence(initial=0.0), "initial competence is 0.0"),
        (lambda: Competence(initial=1.5), "initial competence is 1.5"),
        (lambda: Competence(power=0.0), "power of Competence is 0.0"),
    ],
)
def test_impossible_curricula_are_refused(make: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make()
