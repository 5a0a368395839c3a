"""Pairs of similar length, told apart and put in order: beside the order nothing of the corpus's size is held."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_CHUNK = 2**18
"""Pairs that are looked at together."""


class Buckets:
    """Pairs grouped by the longer of their sides.

    Args:
        lengths: ``(pairs, sides)``, in tokens, without reserved ids.
        width: How many lengths share a bucket.
        part: Which part of the pairs these are: a block of 262,144 of them, which are neighbours, and the block that is
            ``parts`` blocks further on, and so forth.
        parts: Number of parts; 1 for all pairs.

    Attributes:
        sizes: ``(buckets,)``, int64, the number of pairs of each. The longer side of those of bucket ``b`` has at most
            ``b * width`` tokens, EOS included.
    """

    def __init__(self, lengths: np.ndarray, width: int, part: int = 0, parts: int = 1) -> None:
        self._lengths = lengths
        self._width = width
        self._starts = range(part * _CHUNK, len(lengths), parts * _CHUNK)
        counts = [np.bincount(numbers) for _, numbers in self._chunks()]
        self.sizes = np.zeros(max(map(len, counts), default=0), dtype=np.int64)
        for count in counts:
            self.sizes[: len(count)] += count

    def bounds(self) -> Iterator[tuple[int, int]]:
        """For each bucket, the shortest first, the most tokens of a longer side and the number of pairs."""
        for number, size in enumerate(self.sizes.tolist()):
            yield number * self._width, size

    def order(self) -> np.ndarray:
        """``(pairs,)``: their indices, bucket by bucket, each bucket in the corpus's order; 32 bits where they do."""
        indices = np.int32 if len(self._lengths) < 2**31 else np.int64
        order = np.empty(int(self.sizes.sum()), dtype=indices)
        places = np.cumsum(self.sizes) - self.sizes
        for start, numbers in self._chunks():
            arranged = np.argsort(numbers, kind="stable")
            grouped = numbers[arranged]
            counts = np.bincount(numbers, minlength=len(self.sizes))
            before = np.cumsum(counts) - counts
            order[(places - before)[grouped] + np.arange(len(numbers))] = arranged + start
            places += counts
        return order

    def _chunks(self) -> Iterator[tuple[int, np.ndarray]]:
        """The number of each pair's bucket, for some pairs after the other, and the index of the first of them."""
        for start in self._starts:
            longer = self._lengths[start : start + _CHUNK].max(axis=1).astype(np.int64) + 1
            yield start, -(-longer // self._width)
