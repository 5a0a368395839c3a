"""How subwords are learnt: the sentences that they are learnt on, and the merges that made them."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterable, Mapping


def last_merge(piece: str, ranks: Mapping[str, int]) -> tuple[str, str] | None:
    """The two parts that are left of a piece before its last merge; None where it is not merged of known pieces.

    Args:
        piece: Which.
        ranks: All pieces, in the order in which they were merged: an earlier one goes first.
    """
    parts = list(piece)
    while len(parts) > 2:
        joined = [ranks.get(left + right, math.inf) for left, right in itertools.pairwise(parts)]
        position = joined.index(min(joined))
        if joined[position] == math.inf:
            return None
        parts[position : position + 2] = [parts[position] + parts[position + 1]]
    return (parts[0], parts[1]) if len(parts) == 2 and all(part in ranks for part in parts) else None


def sample(sentences: Iterable[str], limit: int) -> list[str]:
    """All sentences, or ``limit`` of more, each with the same chance and always the same (reservoir sampling)."""
    chosen: list[str] = []
    generator = random.Random(0)
    for count, sentence in enumerate(sentences, start=1):
        if count <= limit:
            chosen.append(sentence)
        elif (position := generator.randrange(count)) < limit:
            chosen[position] = sentence
    return chosen
