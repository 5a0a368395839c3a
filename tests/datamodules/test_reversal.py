"""Random symbols: the right targets, splits apart whatever is asked for, and always the same."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, get_args

import pytest

from datamodules.batch import BOS, EOS, UNK, Split
from datamodules.errors import UserError
from datamodules.reversal import Copy, ReversalDataModule, Reverse, SequenceTask, Sort, SymbolCorpus, symbol_names
from datamodules.tokenizers import Setting

SPLITS: tuple[Split, ...] = get_args(Split)

SMALL = SymbolCorpus(
    Reverse(),
    alphabet_size=5,
    min_length=6,
    max_length=8,
    train_size=3000,
    val_size=300,
    test_size=300,
    test_lengths=None,
    seed=0,
)


def sources(corpus: SymbolCorpus, split: Split) -> list[str]:
    return [source for source, _ in corpus.pairs(split)]


def test_targets_by_hand() -> None:
    assert [list(task([3, 0, 3, 1])) for task in (Reverse(), Copy(), Sort())] == [
        [1, 3, 0, 3],
        [3, 0, 3, 1],
        [0, 1, 3, 3],
    ]


@pytest.mark.parametrize("task", [Reverse(), Copy(), Sort()])
def test_each_symbol_of_a_target_comes_from_a_place_of_its_own(task: SequenceTask, seed: int) -> None:
    generator = random.Random(seed)
    source = generator.choices(range(5), k=12)
    origins = task.origins(source)
    assert origins is not None
    assert sorted(origins) == list(range(12))
    assert [source[origin] for origin in origins] == list(task(source))


@pytest.mark.parametrize("alphabet_size", [5, 26, 27, 200])
def test_targets_of_text(alphabet_size: int) -> None:
    tasks: dict[SequenceTask, Any] = {
        Reverse(): lambda words: words[::-1],
        Copy(): lambda words: words,
        Sort(): sorted,  # names come in the order of the symbols, also as text
    }
    for task, wanted in tasks.items():
        corpus = replace(SMALL, task=task, alphabet_size=alphabet_size, train_size=200)
        for source, target in corpus.pairs("train"):
            assert target.split() == wanted(source.split())
    assert {word for source in sources(corpus, "train") for word in source.split()} <= set(symbol_names(alphabet_size))


def test_names_are_distinct_and_in_order() -> None:
    for size in (2, 26, 27, 100, 101, 5000):
        names = symbol_names(size)
        assert len(names) == size
        assert all(first < second for first, second in pairwise(names))
        assert not any(re.search(r"\s", name) for name in names)


def test_lengths_and_symbols_come_equally_often() -> None:
    drawn = [source.split() for source in sources(replace(SMALL, train_size=20_000), "train")]
    lengths = Counter(map(len, drawn))
    assert set(lengths) == {6, 7, 8}
    assert all(abs(count / 20_000 - 1 / 3) < 0.02 for count in lengths.values())
    for position in (0, 5):
        symbols = Counter(words[position] for words in drawn)
        assert len(symbols) == 5
        assert all(abs(count / 20_000 - 1 / 5) < 0.02 for count in symbols.values())


def test_one_length_alone() -> None:
    assert {len(source.split()) for source in sources(replace(SMALL, max_length=6), "test")} == {6}


def test_no_sequence_is_in_two_splits() -> None:
    """So many of 5,000 short sequences are drawn that a shared one could not hide."""
    corpus = replace(SMALL, min_length=2, max_length=5, train_size=20_000, val_size=150, test_size=150)
    drawn = {split: sources(corpus, split) for split in SPLITS}
    assert [len(drawn[split]) for split in SPLITS] == [20_000, 150, 150]
    assert len(set(drawn["val"])) == len(set(drawn["test"])) == 150
    for one, other in (("train", "val"), ("train", "test"), ("val", "test")):
        assert not set(drawn[one]) & set(drawn[other])
    assert len(set(drawn["train"])) > 2000, "training has most of what the others leave"


def test_a_test_of_other_lengths_is_apart_from_the_training_as_well(seed: int) -> None:
    corpus = replace(SMALL, seed=seed, alphabet_size=6, min_length=5, max_length=6, train_size=20_000)
    longer = replace(corpus, test_lengths=[6, 5, 9], test_size=100)
    same = replace(corpus, test_size=400)
    trained = set(sources(corpus, "train"))
    assert [len(source.split()) for source in sources(longer, "test")] == [6] * 100 + [5] * 100 + [9] * 100
    for tested in (longer, same):
        assert not trained & set(sources(tested, "test"))


def test_pairs_are_a_function_of_the_seed() -> None:
    # Written out, for they are the same on every machine and in every process.
    assert list(islice(SMALL.pairs("test"), 3)) == [
        ("c a b a b a", "a b a b a c"),
        ("c d d d a e", "e a d d d c"),
        ("d d c c d c e b", "b e c d c c d d"),
    ]
    assert SMALL.content("train") == replace(SMALL).content("train")
    assert SMALL.content("train") != replace(SMALL, seed=1).content("train")
    assert SMALL.content("train") != replace(SMALL, task=Copy()).content("train")
    assert len({SMALL.content(split) for split in SPLITS}) == 3


def test_other_sizes_leave_the_other_splits_as_they_are() -> None:
    changed = replace(SMALL, train_size=5000, test_lengths=[20])
    assert changed.content("val") == SMALL.content("val")
    assert sources(changed, "train")[:3000] == sources(SMALL, "train")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alphabet_size": 1}, r"alphabet_size is 1: give at least 2"),
        ({"alphabet_size": -3}, r"alphabet_size is -3: give at least 2"),
        ({"min_length": 0}, r"min_length is 0: give at least 1"),
        ({"min_length": 5, "max_length": 4}, r"max_length is 4, and min_length 5: give a max_length that is not"),
        ({"train_size": 0}, r"train_size is 0: give at least 1"),
        ({"val_size": -1}, r"val_size is -1: give at least 1"),
        ({"test_size": 0}, r"test_size is 0: give at least 1"),
        ({"test_lengths": []}, r"test_lengths is \[\]: give lengths of at least 1, each once, or null"),
        ({"test_lengths": [4, 0]}, r"test_lengths is \[4, 0\]: give lengths of at least 1"),
        ({"test_lengths": [10, 20, 10]}, r"test_lengths is \[10, 20, 10\]: .* each once"),
        (
            {"alphabet_size": 2, "min_length": 1, "max_length": 3},
            r"val_size is 500, but 2 symbols make 14 sequences of length 1 to 3, and 9000 are needed .* lower val_size",
        ),
        ({"test_lengths": [10, 2]}, r"test_size is 1000, but 20 symbols make 400 sequences of length 2, and 17000 are"),
        ({"batch_size": 0}, r"batch_size is 0: give at least 1"),
    ],
)
def test_settings_that_do_not_fit_are_the_users_error(settings: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message) as failed:
        ReversalDataModule(cache_directory=str(tmp_path), **settings)
    assert "\n" not in str(failed.value)


def test_the_smallest_corpora_that_are_allowed_can_be_made(seed: int) -> None:
    generator = random.Random(seed)
    for _ in range(5):
        size = generator.randint(1, 200)
        length = next(length for length in range(1, 30) if 2**length >= 16 * size + 1000)
        corpus = replace(SMALL, alphabet_size=2, min_length=length, max_length=length, val_size=size, test_size=size)
        corpus = replace(corpus, seed=generator.randrange(10**9), train_size=100)
        assert [len(sources(corpus, split)) for split in SPLITS] == [100, size, size]


class Rotate(SequenceTask):
    """A task of a user's own, with an argument, and targets that are longer than sources."""

    def __init__(self, by: int = 1) -> None:
        self.by = by

    def __call__(self, source: Sequence[int]) -> Sequence[int]:
        return [*source[self.by :], *source[: self.by], source[0]]

    def settings(self) -> dict[str, Setting]:
        return {"by": self.by}


def test_batches_hold_the_pairs(tmp_path: Path) -> None:
    data = ReversalDataModule(
        Rotate(2), alphabet_size=30, train_size=100, test_size=20, test_lengths=[3, 9], cache_directory=str(tmp_path)
    )
    assert data.source_vocabulary_size == data.target_vocabulary_size == 34
    pairs = list(data.pairs("test"))
    seen = {}
    for batch in data.test_dataloader():
        for index, source, target in zip(batch.index, batch.source.values, batch.target.values, strict=True):
            assert UNK not in source
            assert target[0] == BOS
            assert EOS in target
            seen[int(index)] = data.source_tokenizer.decode(source), data.target_tokenizer.decode(target)
    assert [seen[index] for index in range(40)] == pairs
    assert list(zip(data.sources("test"), data.references("test"), strict=True)) == pairs
    assert sum(len(batch) for batch in data.train_dataloader()) == 100
    assert data.hparams["task"] == {"class_path": f"{__name__}.Rotate", "init_args": {"by": 2}}
    assert (data.hparams["min_length"], data.hparams["max_length"]) == (5, 10)


def test_the_vocabulary_is_the_alphabet_whatever_training_draws(tmp_path: Path) -> None:
    data = ReversalDataModule(alphabet_size=500, train_size=1, cache_directory=str(tmp_path))
    assert data.source_vocabulary_size == 504
    assert data.source_tokenizer.encode("000 007 499") == [4, 11, 503]
