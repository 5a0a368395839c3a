"""SCAN: the meanings of the paper's commands, the published splits, and always the same."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import pytest

from datamodules.batch import UNK, Split
from datamodules.errors import UserError
from datamodules.scan import ScanCorpus, ScanDataModule, ScanSplit, scan_pairs

SPLITS: tuple[Split, ...] = get_args(Split)

SIMPLE = ScanCorpus(split="simple", val_size=500, seed=0)

LETTERS = {"W": "I_WALK", "L": "I_LOOK", "R": "I_RUN", "J": "I_JUMP", "<": "I_TURN_LEFT", ">": "I_TURN_RIGHT"}


@pytest.mark.parametrize(
    ("command", "actions"),
    [
        # The examples of the paper's figure 1.
        ("jump", "J"),
        ("jump left", "< J"),
        ("jump around right", "> J > J > J > J"),
        ("turn left twice", "< <"),
        ("jump thrice", "J J J"),
        ("jump opposite left and walk thrice", "< < J W W W"),
        ("jump opposite left after walk around left", "< W < W < W < W < < J"),
        # By hand.
        ("turn left", "<"),
        ("turn opposite right", "> >"),
        ("turn around left", "< < < <"),
        ("look right thrice after run left twice", "< R < R > L > L > L"),
        ("walk and look", "W L"),
        ("walk after look", "L W"),
        ("turn opposite left thrice and turn around right twice", "< < < < < < > > > > > > > >"),
        ("run around left twice and run around right thrice", "< R " * 8 + "> R " * 12),
    ],
)
def test_meanings_by_hand(command: str, actions: str) -> None:
    assert dict(scan_pairs())[command] == " ".join(LETTERS[letter] for letter in actions.split())


def test_the_grammar_makes_the_published_commands() -> None:
    pairs = scan_pairs()
    assert len(pairs) == len(dict(pairs)) == 20_910
    assert max(len(actions.split()) for _, actions in pairs) == 48
    assert max(len(command.split()) for command, _ in pairs) == 9
    assert len({word for command, _ in pairs for word in command.split()}) == 13
    assert {action for _, actions in pairs for action in actions.split()} == set(LETTERS.values())
    for command in ("turn", "jump and", "walk and look and run", "look twice thrice", "turn opposite"):
        assert command not in dict(pairs)


@pytest.mark.parametrize(
    ("split", "trained", "tested"),
    [("simple", 16_728, 4_182), ("length", 16_990, 3_920), ("addprim_jump", 14_670, 7_706)],
)
def test_the_splits_are_as_published(split: ScanSplit, trained: int, tested: int, seed: int) -> None:
    """Whatever the seed and the part that is held out."""
    val_size = random.Random(seed).randint(1, 2000)
    parts = {name: list(ScanCorpus(split, val_size, seed).pairs(name)) for name in SPLITS}
    assert [len(parts[name]) for name in SPLITS] == [trained - val_size, val_size, tested]
    for one, other in (("train", "val"), ("train", "test"), ("val", "test")):
        assert not set(parts[one]) & set(parts[other])
    assert set(parts["train"]) | set(parts["val"]) | set(parts["test"]) == set(scan_pairs())
    assert all(count == 1 for name in ("val", "test") for count in Counter(parts[name]).values())


def test_lengths_of_the_split_by_length() -> None:
    lengths = {
        name: {len(actions.split()) for _, actions in ScanCorpus("length", 500, 0).pairs(name)} for name in SPLITS
    }
    assert lengths["train"] == set(range(1, 23))
    assert max(lengths["val"]) <= 22
    assert (min(lengths["test"]), max(lengths["test"])) == (24, 48)


def test_jump_is_learned_alone() -> None:
    corpus = ScanCorpus("addprim_jump", 500, 0)
    counts = Counter(command for command, _ in corpus.pairs("train"))
    assert counts.pop("jump") == 1_467
    assert set(counts.values()) == {1}
    assert not any("jump" in command for command in counts)
    assert not any("jump" in command for command, _ in corpus.pairs("val"))
    assert all("jump" in command.split() and command != "jump" for command, _ in corpus.pairs("test"))


def test_pairs_are_a_function_of_the_seed() -> None:
    # Written out, for they are the same on every machine and in every process.
    assert [command for command, _ in islice(SIMPLE.pairs("test"), 3)] == [
        "turn around left thrice after jump opposite right",
        "turn opposite right thrice and jump opposite right",
        "look left after jump left twice",
    ]
    assert list(SIMPLE.pairs("train")) == list(replace(SIMPLE).pairs("train"))
    assert set(SIMPLE.pairs("test")) != set(replace(SIMPLE, seed=1).pairs("test"))
    more = replace(SIMPLE, val_size=600)
    assert list(more.pairs("test")) == list(SIMPLE.pairs("test"))
    assert list(more.pairs("val"))[:500] == list(SIMPLE.pairs("val"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"val_size": 0}, r"val_size is 0: give 1 to 16727, for the training of split simple has 16728 commands"),
        ({"val_size": -5}, r"val_size is -5: give 1 to 16727"),
        (
            {"val_size": 13_203, "split": "addprim_jump"},
            r"val_size is 13203: give 1 to 13202, .*addprim_jump has",
        ),
        ({"batch_size": 0}, r"batch_size is 0: give at least 1"),
    ],
)
def test_settings_that_do_not_fit_are_the_users_error(settings: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message) as failed:
        ScanDataModule(cache_directory=str(tmp_path), **settings)
    assert "\n" not in str(failed.value)


@pytest.mark.parametrize("split", get_args(ScanSplit))
def test_batches_hold_the_pairs(split: ScanSplit, tmp_path: Path) -> None:
    data = ScanDataModule(split, val_size=40, batch_size=1000, cache_directory=str(tmp_path))
    assert (data.source_vocabulary_size, data.target_vocabulary_size) == (17, 10)
    pairs = list(data.pairs("val"))
    seen = {}
    for batch in data.val_dataloader():
        for index, source, target in zip(batch.index, batch.source.values, batch.target.values, strict=True):
            assert UNK not in source
            assert UNK not in target
            seen[int(index)] = data.source_tokenizer.decode(source), data.target_tokenizer.decode(target)
    assert [seen[index] for index in range(40)] == pairs
    assert sum(len(batch) for batch in data.train_dataloader()) == len(list(data.pairs("train")))
    assert data.source_tokenizer.encode("jump") != [UNK]


def test_a_checkpoint_of_another_split_is_warned_of(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    """Its training has commands of this split's test."""
    trained = ScanDataModule("length", cache_directory=str(tmp_path))
    trained.train_dataloader()
    state = trained.state_dict()
    ScanDataModule("length", cache_directory=str(tmp_path)).load_state_dict(state)
    assert not recwarn
    with pytest.warns(UserWarning, match=r"trained on other commands than those of this split \(data.init_args.split"):
        ScanDataModule("simple", cache_directory=str(tmp_path)).load_state_dict(state)


def test_the_vocabulary_is_the_grammars_whatever_is_held_out(tmp_path: Path) -> None:
    few = ScanDataModule(val_size=16_727, cache_directory=str(tmp_path))
    assert (few.source_vocabulary_size, few.target_vocabulary_size) == (17, 10)
    other = ScanDataModule("addprim_jump", cache_directory=str(tmp_path))
    assert few.source_tokenizer.describe() == other.source_tokenizer.describe()
    assert few.target_tokenizer.describe() == other.target_tokenizer.describe()
