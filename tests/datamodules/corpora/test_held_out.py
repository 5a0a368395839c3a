"""Pairs that are held out of the training file: by their sources alone, whatever else the file has."""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import combinations
from pathlib import Path

import pytest

from datamodules.batch import Split
from datamodules.corpora.corpus import TextFiles, TsvFile
from datamodules.corpora.held_out import HeldOut
from datamodules.errors import UserError
from datamodules.excerpts import Excerpt, FirstWords
from datamodules.formats.delimited import CsvFile
from datamodules.formats.dialogues import DialogueFile
from datamodules.formats.forms import ParallelText
from datamodules.tokenizers import CharacterTokenizer, WhitespaceTokenizer
from datamodules.translation import TranslationDataModule

SPLITS: tuple[Split, ...] = ("train", "val", "test")


def write(path: Path, sources: list[str]) -> TsvFile:
    path.write_text("".join(f"{source}\t{number}\n" for number, source in enumerate(sources)))
    return TsvFile(str(path))


def module(
    folder: Path, train: ParallelText, split: HeldOut | None, test: ParallelText | None = None
) -> TranslationDataModule:
    return TranslationDataModule(
        train, None, CharacterTokenizer(), test, split=split, cache_directory=str(folder / "cache")
    )


def test_each_pair_is_in_one_split_with_all_of_its_source(tmp_path: Path) -> None:
    sources = [f"source {number % 1500}" for number in range(4000)]
    data = module(tmp_path, write(tmp_path / "a.tsv", sources), HeldOut(0.1, 0.2))
    found = {split: list(data.pairs(split)) for split in SPLITS}
    assert sorted(int(target) for pairs in found.values() for _, target in pairs) == list(range(4000))
    places = defaultdict(set)
    for split, pairs in found.items():
        assert [int(target) for _, target in pairs] == sorted(int(target) for _, target in pairs)
        for source, _ in pairs:
            places[source].add(split)
    assert all(len(splits) == 1 for splits in places.values())
    assert abs(len(found["val"]) / 4000 - 0.1) < 0.03
    assert abs(len(found["test"]) / 4000 - 0.2) < 0.04
    assert data.splits == SPLITS


def test_shares_may_be_one_together() -> None:
    for val, test, train in ((0.05, 0.05, 0.9), (0.1, 0.1, 0.8), (0.2, 0.1, 0.7)):
        HeldOut(val, test, train).check()
    with pytest.raises(UserError, match=r"split\.train is 0\.91: .* leave \(0\.9\)"):
        HeldOut(0.05, 0.05, 0.91).check()


def test_all_turns_of_a_dialogue_are_in_one_split(tmp_path: Path) -> None:
    dialogues = [
        {
            "turns": [
                {"speaker": speaker, "text": f"{turn} of {number}", "acts": f"act {number}"}
                for turn, speaker in enumerate(["user", "system"] * 4)
            ]
        }
        for number in range(400)
    ]
    (tmp_path / "d.jsonl").write_text("".join(f"{json.dumps(dialogue)}\n" for dialogue in dialogues))
    text = DialogueFile(str(tmp_path / "d.jsonl"))
    data = TranslationDataModule(
        text,
        None,
        WhitespaceTokenizer(),
        split=HeldOut(0.2, 0.2),
        annotations={"acts": "acts"},
        cache_directory=str(tmp_path / "cache"),
    )
    found = {split: [target.split()[-1] for _, target in data.pairs(split)] for split in SPLITS}
    assert sum(map(len, found.values())) == 4 * 400
    assert not any(set(found[one]) & set(found[other]) for one, other in combinations(SPLITS, 2))
    assert abs(len(found["val"]) / 1600 - 0.2) < 0.08
    assert list(data.annotation("val", "acts")) == [f"act {number}" for number in found["val"]]


def test_sources_that_are_read_alike_are_in_one_split(tmp_path: Path) -> None:
    text = write(tmp_path / "a.tsv", [f"{number % 50} begins it {number}" for number in range(400)])

    def places(excerpt: Excerpt | None) -> list[set[str]]:
        data = TranslationDataModule(
            text,
            None,
            WhitespaceTokenizer(),
            split=HeldOut(0.2, 0.2),
            excerpt=excerpt,
            cache_directory=str(tmp_path / "cache"),
        )
        return [{source.split()[0] for source in data.sources(split)} for split in SPLITS]

    whole, cut = places(None), places(FirstWords(2))
    assert any(one & other for one, other in combinations(whole, 2))
    assert not any(one & other for one, other in combinations(cut, 2))


def test_a_file_that_grows_and_a_share_that_changes_move_no_pair_of_another_split(tmp_path: Path) -> None:
    sources = [str(number) for number in range(1000)]

    def sets(text: ParallelText, val: float, test: float) -> list[set[str]]:
        data = module(tmp_path, text, HeldOut(val, test))
        return [{source for source, _ in data.pairs(split)} for split in SPLITS]

    small = sets(write(tmp_path / "a.tsv", sources), 0.1, 0.1)
    grown = sets(write(tmp_path / "b.tsv", ["x", *reversed(sources), *map(str, range(5000, 6000))]), 0.1, 0.1)
    assert all(before <= after for before, after in zip(small, grown, strict=True))
    assert sets(write(tmp_path / "a.tsv", sources), 0.1, 0.3)[1] == small[1]
    assert sets(write(tmp_path / "a.tsv", sources), 0.3, 0.1)[2] == small[2]


def test_less_is_trained_on_and_more_has_all_of_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = write(tmp_path / "a.tsv", [f"source {number}" for number in range(4000)])

    def trained(train: float | None, val: float = 0.1) -> set[str]:
        data = module(tmp_path, text, HeldOut(val, 0.1, train), test=None)
        assert set(data.pairs("val")) == set(module(tmp_path, text, HeldOut(val, 0.1)).pairs("val"))
        return {source for source, _ in data.pairs("train")}

    small, middle, most, rest = (trained(share) for share in (0.05, 0.4, 0.8, None))
    assert small < middle < most == rest
    assert abs(len(middle) / 4000 - 0.4) < 0.04
    data = TranslationDataModule(
        text, text, CharacterTokenizer(), split=HeldOut(train=0.4), cache_directory=str(tmp_path / "cache")
    )
    with caplog.at_level("INFO"):
        used = len(data.sources("train"))
    assert abs(used / 4000 - 0.4) < 0.04
    assert len(data.sources("val")) == 4000
    assert f"train: {used:,} of the 4,000 pairs are used (split.train is 0.4)" in caplog.text
    assert data.content("train") != TranslationDataModule(text, text, CharacterTokenizer()).content("train")


@pytest.mark.parametrize("train", [0.0, -0.1, 0.81, 2.0])
def test_a_share_that_is_none(train: float, tmp_path: Path) -> None:
    text = write(tmp_path / "a.tsv", ["a", "b"])
    with pytest.raises(UserError, match=rf"split.train is {train}: give a share above 0, and at most .* \(0.8\)"):
        module(tmp_path, text, HeldOut(0.1, 0.1, train))


def test_lines_are_those_of_the_training_file_in_messages_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    sources = [f"word {number}" if number % 7 else "" for number in range(300)]
    data = module(tmp_path, write(tmp_path / "a.tsv", sources), HeldOut(0.2, 0.2))
    lines = [(tmp_path / "a.tsv").read_text().splitlines()[number - 1] for number in data.numbers("val", range(20))]
    assert lines == [f"{data.sources('val')[index]}\t{data.references('val')[index]}" for index in range(20)]
    first = data.numbers("test", [0])[0]
    assert data.place("test", [0]) == f"lines {first} of {tmp_path}/a.tsv"
    empty = {split for split in SPLITS for source, _ in data.pairs(split) if not source}
    assert len(empty) == 1
    with caplog.at_level("INFO"):
        data = module(tmp_path, TsvFile(str(tmp_path / "a.tsv")), HeldOut(0.2, 0.2))
        for split in SPLITS:
            data.sources(split)
    held = {split: len(list(data.pairs(split))) for split in ("val", "test")}
    assert "43 empty (the first in line 1) skipped" in caplog.text
    for split, count in held.items():
        share = f"({count / 300:.2%}; split.{split} is 0.2)"
        assert f"{split}: {count} of the 300 pairs of {tmp_path}/a.tsv are held out for it {share}" in caplog.text


def test_a_file_takes_the_place_of_a_share(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    train = write(tmp_path / "a.tsv", [str(number) for number in range(500)])
    test = write(tmp_path / "b.tsv", ["1", "2"])
    both, val_alone = module(tmp_path, train, HeldOut(0.1, 0.2), test), module(tmp_path, train, HeldOut(0.1), test)
    assert list(both.pairs("test")) == [("1", "0"), ("2", "1")]
    assert list(both.pairs("train")) == list(val_alone.pairs("train"))
    assert both.fingerprints() == val_alone.fingerprints()
    with caplog.at_level("INFO"):
        both.sources("test")
    assert "split.test holds nothing out, since data.init_args.test names a file" in caplog.text


def test_the_record_of_the_content_tells_one_share_from_another(tmp_path: Path) -> None:
    train = write(tmp_path / "a.tsv", [str(number) for number in range(500)])
    contents = [module(tmp_path, train, split).fingerprints() for split in (HeldOut(0.1), HeldOut(0.2), HeldOut(0.1))]
    assert contents[0] == contents[2]
    assert not set(contents[0].values()) & set(contents[1].values())
    whole = TranslationDataModule(train, train, CharacterTokenizer(), cache_directory=str(tmp_path / "cache"))
    assert whole.content("train") not in contents[0].values()
    columns = CsvFile(str(tmp_path / "a.tsv"), {"source": 0, "target": 1}, "\t", header=False)
    other = CsvFile(str(tmp_path / "a.tsv"), {"source": 1, "target": 0}, "\t", header=False)
    assert module(tmp_path, columns, HeldOut(0.1)).content("val") != module(tmp_path, other, HeldOut(0.1)).content(
        "val"
    )


def test_text_in_two_files_is_held_out_of_as_well(tmp_path: Path) -> None:
    (tmp_path / "a.en").write_text("".join(f"{number}\n" for number in range(200)))
    (tmp_path / "a.de").write_text("".join(f"n{number}\n" for number in range(200)))
    data = module(tmp_path, TextFiles(str(tmp_path / "a.en"), str(tmp_path / "a.de")), HeldOut(val=0.2))
    assert data.splits == ("train", "val")
    assert all(target == f"n{source}" for split in data.splits for source, target in data.pairs(split))
    assert sum(len(list(data.pairs(split))) for split in data.splits) == 200
    assert len(data.val_dataloader()) == 1


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (None, "data.init_args.val is not given: name a file, or hold out a share"),
        (HeldOut(test=0.1), "data.init_args.val is not given"),
        (HeldOut(1.0), "split.val is 1.0: give a share below 1"),
        (HeldOut(0.1, -0.1), "split.test is -0.1"),
        (HeldOut(0.5, 0.5), "split holds out 1 of the training pairs"),
        (HeldOut(), "split holds out 0 of the training pairs"),
    ],
)
def test_shares_that_leave_nothing_are_refused(tmp_path: Path, split: HeldOut | None, message: str) -> None:
    with pytest.raises(UserError) as error:
        module(tmp_path, TsvFile("nowhere"), split)
    assert message in str(error.value)


def test_a_share_too_small_for_the_file_is_told(tmp_path: Path) -> None:
    data = module(tmp_path, write(tmp_path / "a.tsv", ["one", "two"]), HeldOut(val=0.0001))
    with pytest.raises(UserError, match=r"val has none of the 2 pairs of .*a\.tsv: change data\.init_args\.split"):
        data.sources("val")
