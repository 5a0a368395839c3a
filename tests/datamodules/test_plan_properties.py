"""The batch plan over any lengths, budgets and numbers of processes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from datamodules import buckets
from datamodules.curriculum import Competence, Curriculum, ShortestFirst, Shuffled
from datamodules.errors import UserError
from datamodules.plan import BatchPlan, BatchUnit


@pytest.fixture(scope="module", autouse=True)
def small_blocks() -> Iterator[None]:
    """Blocks of 7 pairs, so that there are many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(buckets, "_CHUNK", 7)
        yield


@dataclass(frozen=True)
class Setting:
    """What a plan is made of."""

    lengths: np.ndarray
    batch_size: int
    unit: BatchUnit
    shuffle: bool
    seed: int
    mixing: float
    curriculum: Curriculum | None
    at_once: int

    def plan(self, rank: int = 0, world_size: int = 1) -> BatchPlan:
        return BatchPlan(
            self.lengths, self.batch_size, self.unit, self.shuffle, self.seed, rank, world_size, self.mixing,
            self.curriculum, self.at_once,
        )  # fmt: skip


@st.composite
def settings(draw: st.DrawFn) -> Setting:
    sides = draw(st.integers(1, 2))
    rows = draw(st.lists(st.lists(st.integers(1, 30), min_size=sides, max_size=sides), min_size=1, max_size=60))
    lengths = np.array(rows, dtype=np.int32)
    unit: BatchUnit = draw(st.sampled_from(["sentences", "tokens"]))
    return Setting(
        lengths,
        draw(st.integers(1, 70) if unit == "sentences" else st.integers(1, 400)),
        unit,
        draw(st.booleans()),
        draw(st.integers(0, 2**31)),
        draw(st.sampled_from([0.0, 1.0, 3.0, 7.5])),
        draw(st.sampled_from([None, Shuffled(), ShortestFirst(1), ShortestFirst(3), Competence(2.0)])),
        draw(st.sampled_from([8, 20, 100])),
    )


def plan_or_nothing(setting: Setting) -> BatchPlan:
    """The plan; a budget below the longest sentence, which is refused, is no case of this test."""
    try:
        return setting.plan()
    except UserError:
        assert setting.unit == "tokens"
        assume(False)
        raise


@given(settings(), st.integers(0, 4))
def test_every_example_comes_once_an_epoch_within_the_budget(setting: Setting, epoch: int) -> None:
    plan = plan_or_nothing(setting)
    batches = plan.batches(epoch)
    assert len(batches) == len(plan)
    draws = isinstance(setting.curriculum, Competence) and setting.shuffle and setting.curriculum.competence(epoch) < 1
    if not draws:  # while the competence grows, batches may come again before all have come
        assert sorted(np.concatenate(batches).tolist()) == list(range(len(setting.lengths)))
    for batch in batches:
        longest = int(setting.lengths[batch].max()) + 1
        assert 1 <= (len(batch) if setting.unit == "sentences" else len(batch) * longest) <= setting.batch_size


@given(settings(), st.integers(1, 5), st.integers(0, 4))
def test_any_number_of_processes_trains_the_same_batches(setting: Setting, world_size: int, epoch: int) -> None:
    whole = plan_or_nothing(setting)
    shares = []
    for rank in range(world_size):
        plan = setting.plan(rank, world_size)
        plan.set_epoch(epoch)
        shares.append(list(plan))
    for parts, batch in zip(zip(*shares, strict=True), whole.batches(epoch), strict=True):
        together = [index for part in parts for index in part]
        assert sorted(together) == sorted(batch.tolist())
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


@given(settings(), st.integers(0, 3), st.integers(1, 4), st.integers(1, 4), st.data())
def test_an_epoch_goes_on_in_the_middle_with_another_number_of_processes(
    setting: Setting, epoch: int, before: int, after: int, data: st.DataObject
) -> None:
    whole = plan_or_nothing(setting).batches(epoch)
    done = data.draw(st.integers(0, len(whole)))
    seen: list[set[int]] = []
    for world_size, skipped, end in ((before, 0, done), (after, done, len(whole))):
        shares = []
        for rank in range(world_size):
            plan = setting.plan(rank, world_size)
            plan.set_epoch(epoch)
            plan.skip(skipped)
            shares.append(list(plan)[: end - skipped])
        seen += [set().union(*parts) for parts in zip(*shares, strict=True)]
    assert seen == [set(batch.tolist()) for batch in whole]


@given(settings(), st.integers(0, 4))
def test_the_plan_is_a_function_of_seed_and_epoch(setting: Setting, epoch: int) -> None:
    one, other = plan_or_nothing(setting), setting.plan()
    other.batches(epoch + 1)
    other.set_epoch(epoch + 2)
    list(other)
    assert [batch.tolist() for batch in one.batches(epoch)] == [batch.tolist() for batch in other.batches(epoch)]


@given(settings())
def test_only_a_sentence_above_the_budget_is_refused(setting: Setting) -> None:
    """A sentence counts as the longest that may stand beside it."""
    width = max(1, round(setting.mixing)) if setting.shuffle else 1
    longest = -(-(int(setting.lengths.max()) + 1) // width) * width
    if setting.unit == "tokens" and longest > setting.batch_size:
        with pytest.raises(UserError, match=r"batch_size is \d+ tokens, but a sentence has up to"):
            setting.plan()
    else:
        assert len(setting.plan()) >= 1
