"""The batch plan: every pair once, the same global batches for any number of processes, and little padding."""

import lightning as L
import numpy as np
import pytest
from torch.utils.data import DataLoader, Dataset

from datamodules import buckets
from datamodules.errors import UserError
from datamodules.plan import BatchPlan, BatchUnit, planned_loader


@pytest.fixture
def lengths(seed: int) -> np.ndarray:
    """Source and target lengths of a thousand pairs, like those of captions."""
    generator = np.random.default_rng(seed)
    target = generator.poisson(12, 1000) + 1
    return np.stack([np.maximum(1, target + generator.integers(-3, 4, 1000)), target], axis=1)


@pytest.mark.parametrize(("size", "unit"), [(64, "sentences"), (700, "tokens")])
@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_shares_of_all_ranks_are_the_global_batches(
    lengths: np.ndarray, size: int, unit: BatchUnit, world_size: int
) -> None:
    whole = BatchPlan(lengths, size, unit, shuffle=True, seed=5)
    plans = [BatchPlan(lengths, size, unit, True, 5, rank, world_size) for rank in range(world_size)]
    for epoch in (0, 3):
        shares = []
        for plan in plans:
            plan.set_epoch(epoch)
            shares.append(list(plan))
            assert len(plan) == len(shares[-1]) == len(whole)
        batches = [set().union(*parts) for parts in zip(*shares, strict=True)]
        assert batches == [set(batch.tolist()) for batch in whole.batches(epoch)]
        assert sum(len(part) for share in shares for part in share) == len(lengths)
        assert set().union(*batches) == set(range(len(lengths)))


@pytest.mark.parametrize(("size", "unit"), [(64, "sentences"), (700, "tokens")])
def test_budget_is_kept(lengths: np.ndarray, size: int, unit: BatchUnit) -> None:
    for epoch in range(3):
        for batch in BatchPlan(lengths, size, unit, shuffle=True).batches(epoch):
            longest = lengths[batch].max() + 1
            assert (len(batch) if unit == "sentences" else len(batch) * longest) <= size


def test_order_is_a_function_of_seed_and_epoch(lengths: np.ndarray) -> None:
    def flat(seed: int, epoch: int) -> list[list[int]]:
        return [batch.tolist() for batch in BatchPlan(lengths, 64, shuffle=True, seed=seed).batches(epoch)]

    assert flat(1, 2) == flat(1, 2)
    assert flat(1, 2) != flat(1, 3)
    assert flat(1, 2) != flat(2, 2)
    companions = [{frozenset(batch) for batch in flat(1, epoch)} for epoch in (0, 1)]
    assert len(companions[0] & companions[1]) <= 1, "batches have to be mixed anew, not only ordered anew"


def test_little_is_padded(lengths: np.ndarray) -> None:
    batches = BatchPlan(lengths, 64, shuffle=True).batches(0)
    padded = sum(len(batch) * lengths[batch, 1].max() for batch in batches)
    unsorted = sum(len(part) * part.max() for part in np.array_split(lengths[:, 1], len(batches)))
    assert padded / lengths[:, 1].sum() < 1.25 < unsorted / lengths[:, 1].sum()


def test_without_shuffle_every_epoch_is_alike(lengths: np.ndarray) -> None:
    plan = BatchPlan(lengths, 64)
    assert [b.tolist() for b in plan.batches(0)] == [b.tolist() for b in plan.batches(7)]


def test_sequences_without_a_target(lengths: np.ndarray) -> None:
    plan = BatchPlan(lengths[:, :1], 64, shuffle=True)
    batches = plan.batches(1)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    padded = sum(len(batch) * lengths[batch, 0].max() for batch in batches)
    assert padded / lengths[:, 0].sum() < 1.25


def test_a_sentence_above_the_budget_is_refused() -> None:
    with pytest.raises(UserError, match="batch_size is 10 tokens, but a sentence has up to"):
        BatchPlan(np.array([[3, 3], [12, 4]]), 10, "tokens")
    with pytest.raises(UserError, match="batch_size is 0"):
        BatchPlan(np.array([[3, 3]]), 0)


class Indices(Dataset[list[int]]):
    """A corpus whose batches are their indices."""

    def __getitem__(self, indices: list[int]) -> list[int]:
        return indices


def test_overfitting_has_the_same_batches_in_every_epoch(lengths: np.ndarray) -> None:
    plan = BatchPlan(lengths, 64, shuffle=True)
    first = list(plan)

    def loader(overfit_batches: float) -> DataLoader[list[int]]:
        trainer = L.Trainer(accelerator="cpu", devices=1, logger=False, overfit_batches=overfit_batches)
        return planned_loader(Indices(), lengths, 64, shuffle=True, trainer=trainer, overfits=True)

    changing, fixed = loader(0), loader(3)
    assert list(changing) == list(fixed) == first, "representative batches, not the shortest sentences"
    for sampler in (changing.sampler, fixed.sampler):
        if isinstance(sampler, BatchPlan):
            sampler.set_epoch(1)  # as Lightning does
    assert list(changing) != first
    assert list(fixed) == first
    with pytest.raises(UserError, match=r"overfit_batches 0.05 is less than one batch of 16: give a number"):
        loader(0.05)


def test_an_epoch_goes_on_behind_what_was_trained(lengths: np.ndarray) -> None:
    loader = planned_loader(Indices(), lengths, 64, shuffle=True)
    plan = loader.sampler
    assert isinstance(plan, BatchPlan)
    resumed = iter(loader)  # the Trainer makes it before it knows the epoch
    plan.set_epoch(2)
    plan.skip(5)
    assert list(resumed) == [batch.tolist() for batch in plan.batches(2)[5:]]
    assert len(list(loader)) == len(loader) == 16, "the epoch after it is whole"


def test_a_large_corpus_is_shuffled_in_parts_from_all_over_it(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part at once, all of them in every epoch, in another order."""
    monkeypatch.setattr(buckets, "_CHUNK", 10)
    lengths = np.random.default_rng(seed).integers(1, 20, (4000, 2))
    plan = BatchPlan(lengths, 50, shuffle=True, seed=seed, at_once=1000)
    orders = []
    for epoch in range(8):
        batches = plan.batches(epoch)
        parts = [(batch // 10 % 4).tolist() for batch in batches]
        assert all(len(set(part)) == 1 for part in parts), "no batch is of two parts"
        orders.append(tuple(dict.fromkeys(part[0] for part in parts)))
        assert len(orders[-1]) == 4
        assert sorted(np.concatenate(batches).tolist()) == list(range(4000))
    assert len(set(orders)) > 1
    whole = BatchPlan(lengths, 50, shuffle=True, seed=seed, at_once=4000)
    assert [batch.tolist() for batch in whole.batches(0)] == [
        batch.tolist() for batch in BatchPlan(lengths, 50, shuffle=True, seed=seed).batches(0)
    ]
