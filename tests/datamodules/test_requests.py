"""Requests: order tells what is wanted, and nothing but order; no name is in two splits."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from datamodules.requests import RequestsDataModule


def test_the_same_words_in_another_order_ask_for_something_else(tmp_path: Path) -> None:
    data = RequestsDataModule(train_size=20_000, cache_directory=str(tmp_path))
    wanted = defaultdict(set)
    for text, label in data.pairs("train"):
        words = text.split()
        start = min(words.index(word) for word in ("for", "says") if word in words)
        wanted[tuple(sorted(words[:start]))].add(label)
    assert sum(len(labels) > 1 for labels in wanted.values()) > 0.3 * len(wanted)


def test_no_name_is_in_two_splits(tmp_path: Path) -> None:
    data = RequestsDataModule(cache_directory=str(tmp_path))
    train, val, test = ({text.split()[-1] for text, _ in data.pairs(split)} for split in data.splits)
    assert not (train & val | train & test | val & test)
    assert data.class_names == ["car", "cinema", "flight", "hotel", "restaurant", "taxi"]
    assert list(data.pairs("val")) == list(data.pairs("val"))
