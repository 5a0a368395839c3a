"""Speeds of a search, from what a toolkit took for it."""

import pytest

from datamodules.errors import RunFailed
from experiments.benchmarks.peers import Translation
from experiments.benchmarks.searching import searching_quantities


def test_speeds_are_sentences_over_the_searchs_own_seconds() -> None:
    alone, batched = Translation(["a b c"] * 20, 9.0, 4.0), Translation(["a b c"] * 300, 7.0, 2.0)
    assert searching_quantities("greedy", alone, batched, words_and_ends) == {
        "greedy, one at a time": 5.0,
        "greedy, latency": 200.0,
        "greedy, latency of a token": 50.0,
        "greedy, batches": 150.0,
        "greedy, tokens in batches": 600.0,
    }


def test_a_search_of_no_time_tells_no_speed() -> None:
    short, long = Translation(["a"] * 5, 3.0, 0.0), Translation(["a"] * 300, 7.0, 2.0)
    with pytest.raises(RunFailed, match=r"^beam 5: 5 sentences took too little time .* --singles"):
        searching_quantities("beam 5", short, long, words_and_ends)


def words_and_ends(hypotheses: list[str]) -> int:
    return sum(len(each.split()) + 1 for each in hypotheses)
