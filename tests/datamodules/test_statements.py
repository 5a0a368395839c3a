"""Each statement parses and is told by its sentence, names and all; no name is in two splits."""

from __future__ import annotations

import ast
import keyword
import re
from pathlib import Path

import pytest

from datamodules.errors import UserError
from datamodules.statements import StatementsDataModule
from experiments.metrics.code import completed


def module(folder: Path, **sizes: int) -> StatementsDataModule:
    return StatementsDataModule(**{"train_size": 600, **sizes}, cache_directory=str(folder))


def drawn(line: str) -> set[str]:
    """The words and numbers of names and strings that a line has: all that stand in no form of a statement."""
    words = {word for name in re.findall(r"\w+", line) for word in name.split("_")}
    return words - {*keyword.kwlist, "print", "append"}


def test_statements_parse_and_are_told(tmp_path: Path) -> None:
    kinds = set()
    for sentence, line in module(tmp_path).pairs("train"):
        kinds.add(type(ast.parse(completed(line)).body[-1]).__name__)
        assert drawn(line) <= drawn(sentence)
        strings = sorted(re.findall("'.*?'", line))
        assert sorted(re.findall("'.*?'", sentence)) == strings
    assert kinds == {"Assign", "AugAssign", "If", "While", "For", "Expr", "ImportFrom", "Raise", "Return"}


def test_no_name_is_in_two_splits_and_none_in_the_vocabulary(tmp_path: Path) -> None:
    data = module(tmp_path, train_size=2_000, val_size=200, test_size=300)
    found = {split: {word for _, line in data.pairs(split) for word in drawn(line)} for split in data.splits}
    assert [len(list(data.pairs(split))) for split in data.splits] == [2_000, 200, 300]
    assert not (found["train"] & found["val"] | found["train"] & found["test"] | found["val"] & found["test"])
    assert min(map(len, found.values())) > 300
    symbols = set(data.source_tokenizer.pieces(range(data.source_vocabulary_size)))
    assert not symbols & found["train"]
    assert {"sum", "if", "elif", " + ", "append"} <= symbols
    assert data.copies_unknown


def test_pairs_are_drawn_anew_alike(tmp_path: Path) -> None:
    data, other = module(tmp_path), module(tmp_path, corpus_seed=1)
    assert list(data.pairs("test")) == list(data.pairs("test"))
    assert list(data.pairs("test")) != list(other.pairs("test"))
    assert data.content("test") != other.content("test")


def test_sizes_below_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data\.init_args\.test_size is 0: give at least 1"):
        module(tmp_path, test_size=0)
