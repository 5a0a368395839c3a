"""Descriptions and bookings are made anew alike, what is made up is in one split, and every target can be written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from datamodules.batch import UNK
from datamodules.bookings import BookingsDataModule
from datamodules.corpora.parallel import ParallelDataModule
from datamodules.descriptions import DescriptionsDataModule
from datamodules.errors import UserError
from datamodules.excerpts import FirstWords, LastTurns

SIZES = {"train_size": 300, "val_size": 40, "test_size": 50}


def made(
    kind: type[BookingsDataModule] | type[DescriptionsDataModule], folder: Path, **more: object
) -> ParallelDataModule:
    return kind(**SIZES, cache_directory=str(folder), min_frequency=5, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [BookingsDataModule, DescriptionsDataModule])
def test_pairs_are_drawn_anew_alike_and_every_target_can_be_written(
    kind: type[BookingsDataModule] | type[DescriptionsDataModule], tmp_path: Path
) -> None:
    data = made(kind, tmp_path)
    pairs = {split: list(data.pairs(split)) for split in data.splits}
    assert [len(found) for found in pairs.values()] == list(SIZES.values())
    assert all(list(data.pairs(split)) == found for split, found in pairs.items())
    assert list(made(kind, tmp_path, corpus_seed=1).pairs("val")) != pairs["val"]
    for source, target in pairs["test"]:
        _, spelling = data.spellings(source)
        assert UNK not in spelling.encode(target)
        assert spelling.decode(spelling.encode(target)) == target


def test_no_format_is_in_two_splits_and_each_description_says_it(tmp_path: Path) -> None:
    data = made(DescriptionsDataModule, tmp_path)
    formats = {split: {target.split()[-2] for _, target in data.pairs(split)} for split in data.splits}
    assert not formats["train"] & formats["val"] | formats["train"] & formats["test"] | formats["val"] & formats["test"]
    assert all(target.split()[-2] in source for source, target in data.pairs("train"))
    cut = made(DescriptionsDataModule, tmp_path, excerpt=FirstWords(5))
    assert max(len(source.split()) for source in cut.sources("val")) == 5


def test_values_stand_in_the_answers_and_flags_tell_where_they_come_from(tmp_path: Path) -> None:
    data = made(BookingsDataModule, tmp_path, excerpt=LastTurns(3))
    values = data.annotation("val", "values")
    assert len(values) == SIZES["val_size"]
    flags = set()
    for (source, target), asked in zip(data.pairs("val"), values, strict=True):
        acts, said = source.split(" <usr> ", maxsplit=1)
        for slot, value, flag in json.loads(asked):
            assert value in target
            assert f"{slot} = {value}" in acts
            assert (value in said) == (flag == "c")
            flags.add(flag)
    assert flags == {"a", "c"}
    alone = made(BookingsDataModule, tmp_path, excerpt=LastTurns(3), acts=False)
    assert all(source.startswith("<usr> ") for source, _ in alone.pairs("val"))
    with pytest.raises(UserError, match="nothing is left to be read"):
        made(BookingsDataModule, tmp_path, excerpt=LastTurns(0), acts=False)
