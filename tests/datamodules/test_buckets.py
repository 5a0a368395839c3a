"""Pairs in order of length, some at a time, against numpy's sorting of all at once."""

from unittest import mock

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from datamodules import buckets
from datamodules.buckets import Buckets
from datamodules.plan import BatchPlan

ROWS = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=60)


@given(ROWS, st.integers(1, 7), st.integers(1, 70))
def test_the_order_is_that_of_a_stable_sort(rows: list[tuple[int, int]], width: int, chunk: int) -> None:
    lengths = np.array(rows, dtype=np.int32)
    numbers = -(-(lengths.max(axis=1) + 1) // width)
    with mock.patch.object(buckets, "_CHUNK", chunk):
        grouped = Buckets(lengths, width)
        np.testing.assert_array_equal(grouped.order(), np.argsort(numbers, kind="stable"))
    np.testing.assert_array_equal(grouped.sizes, np.bincount(numbers))
    assert list(grouped.bounds()) == [(number * width, size) for number, size in enumerate(np.bincount(numbers))]


@given(ROWS, st.integers(31, 400))
def test_a_batch_ends_where_the_next_pair_would_exceed_the_budget(rows: list[tuple[int, int]], budget: int) -> None:
    lengths = np.array(rows, dtype=np.int32)
    batches: list[list[int]] = []
    for index in np.lexsort((lengths[:, 1], lengths.max(axis=1))).tolist():
        # Sorted, so that the last is the longest.
        longest = int(lengths[index].max()) + 1
        if not batches or (len(batches[-1]) + 1) * longest > budget:
            batches.append([])
        batches[-1].append(index)
    assert [batch.tolist() for batch in BatchPlan(lengths, budget, "tokens").batches(0)] == batches
