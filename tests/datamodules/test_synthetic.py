"""Signed sums: the labels, the seeds of the splits, and the batches."""

import numpy as np
import pytest
import torch

from datamodules.batch import Split
from datamodules.errors import UserError
from datamodules.random_vectors import SPLITS
from datamodules.synthetic import SyntheticDataModule

SMALL = {"train_size": 300, "val_size": 200, "test_size": 100}


def test_the_label_is_the_sign_of_the_sum_over_even_positions(seed: int) -> None:
    data = SyntheticDataModule(num_features=3, min_length=1, max_length=9, corpus_seed=seed, **SMALL)
    sequences = data.sequences("train")
    for index in range(300):
        sequence = sequences.sequence(index)
        total = sum(float(value) for position, vector in enumerate(sequence) if position % 2 == 0 for value in vector)
        assert sequences.labels[index] == int(total > 0)
        assert sequence.shape == (sequences.lengths[index], 3)
    assert set(sequences.lengths.tolist()) == set(range(1, 10))
    assert 0.3 < sequences.labels.mean() < 0.7


@pytest.mark.parametrize("length", [1, 12])
def test_a_fixed_length(length: int) -> None:
    data = SyntheticDataModule(min_length=length, max_length=length, **SMALL)
    for batch in data.train_dataloader():
        assert batch.source.lengths.tolist() == [length] * len(batch)
        assert batch.source.mask.all()


def test_no_split_has_anything_of_another(seed: int) -> None:
    data = SyntheticDataModule(corpus_seed=seed, **SMALL)
    values = {
        split: {value for i in range(size) for value in data.sequences(split).sequence(i)[:, 0].tolist()}
        for split, size in zip(SPLITS, SMALL.values(), strict=True)
    }
    # float32 has about 10^8 values that a normal distribution draws: chance makes few of thousands equal.
    for one, other in (("train", "val"), ("train", "test"), ("val", "test")):
        assert len(values[one] & values[other]) < 10


def test_the_seed_says_everything() -> None:
    same, again, other = (SyntheticDataModule(corpus_seed=seed, **SMALL).fingerprints() for seed in (3, 3, 4))
    assert same == again
    assert len({*same.values(), *other.values()}) == 6

    def order(seed: int, epoch: int) -> list[list[int]]:
        loader = SyntheticDataModule(seed=seed, **SMALL).train_dataloader()
        loader.sampler.set_epoch(epoch)
        return [batch.index.tolist() for batch in loader]

    assert order(1, 2) == order(1, 2)
    assert order(1, 2) != order(1, 3)
    assert order(1, 2) != order(2, 2)


@pytest.mark.parametrize("split", SPLITS)
def test_a_larger_set_begins_with_the_smaller(split: Split, seed: int) -> None:
    small, large = (
        SyntheticDataModule(corpus_seed=seed, **{f"{split}_size": size}).sequences(split) for size in (40, 90)
    )
    for index in range(40):
        assert np.array_equal(small.sequence(index), large.sequence(index))
    assert np.array_equal(small.labels, large.labels[:40])


def test_batches_hold_every_sequence_once() -> None:
    data = SyntheticDataModule(num_features=2, batch_size=32, eval_batch_size=70, **SMALL)
    for loader, split in ((data.train_dataloader(), "train"), (data.predict_dataloader(), "test")):
        sequences = data.sequences(split)
        seen = []
        for batch in loader:
            seen += batch.index.tolist()
            for row, index in enumerate(batch.index.tolist()):
                length = int(batch.source.lengths[row])
                assert np.array_equal(batch.source.values[row, :length], sequences.sequence(index))
                assert not batch.source.values[row, length:].any()
                assert batch.label[row] == sequences.labels[index]
        assert sorted(seen) == list(range(len(sequences)))


def test_an_empty_share_is_an_empty_batch() -> None:
    batch = SyntheticDataModule(num_features=2, **SMALL).sequences("val")[[]]
    assert len(batch) == 0
    assert batch.source.values.shape == (0, 0, 2)
    assert batch.label.dtype == torch.long


def test_sizes_are_known_before_anything_is_drawn() -> None:
    data = SyntheticDataModule(num_features=7, train_size=10**12)
    assert (data.source_feature_size, data.class_count) == (7, 2)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_features": 0}, "data.init_args.num_features is 0: give at least 1"),
        ({"min_length": 0}, "data.init_args.min_length is 0"),
        ({"max_length": 9}, "data.init_args.max_length is 9, below min_length, 10"),
        ({"val_size": -1}, "data.init_args.val_size is -1"),
        ({"corpus_seed": -1}, "data.init_args.corpus_seed is -1: give at least 0"),
        ({"eval_batch_size": 0}, "data.init_args.eval_batch_size is 0"),
    ],
)
def test_what_cannot_be(wrong: dict[str, int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        SyntheticDataModule(**wrong)
