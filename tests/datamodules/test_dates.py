"""Dates in words: right in each language, a function of the source, and never the same in two splits."""

from __future__ import annotations

import datetime
import random
import re
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import pytest
from babel.dates import format_date, format_skeleton

from datamodules.batch import UNK, Split
from datamodules.dates import (
    FIRST_YEAR,
    LAST_YEAR,
    PHRASINGS,
    DateCorpus,
    DatesDataModule,
    Phrasing,
    TargetLanguage,
    say,
)
from datamodules.errors import UserError

LANGUAGES: tuple[TargetLanguage, ...] = get_args(TargetLanguage)
SPLITS: tuple[Split, ...] = get_args(Split)
ALL_PHRASINGS = [phrasing for phrasings in PHRASINGS.values() for phrasing in phrasings]

# What a native would write: source, French, German.
NATIVE = [
    ("Monday, 3 June 2019", "lundi 3 juin 2019", "Montag, 3. Juni 2019"),
    ("June 3rd, 2019", "3 juin 2019", "3. Juni 2019"),
    ("June 3, 2019 (Monday)", "lundi 3 juin 2019", "Montag, 3. Juni 2019"),
    ("2019 June 3", "3 juin 2019", "3. Juni 2019"),
    ("Mon, Jun 3, 2019", "lun. 3 juin 2019", "Mo., 3. Juni 2019"),
    ("May 1st, 1980", "1er mai 1980", "1. Mai 1980"),
    ("on the 1st of May 1980", "le 1er mai 1980", "am 1. Mai 1980"),
    (
        "the twenty-third of May, nineteen ninety-four",
        "le vingt-trois mai mille neuf cent quatre-vingt-quatorze",
        "der dreiundzwanzigste Mai neunzehnhundertvierundneunzig",
    ),
    (
        "Monday, May twenty-third, 1994",
        "lundi vingt-trois mai 1994",
        "Montag, dreiundzwanzigster Mai 1994",
    ),
    (
        "on Monday, May the twenty-third, nineteen ninety-four",
        "le lundi vingt-trois mai mille neuf cent quatre-vingt-quatorze",
        "am Montag, dem dreiundzwanzigsten Mai neunzehnhundertvierundneunzig",
    ),
    (
        "until Thursday, the first of May, nineteen eighty",
        "jusqu'au jeudi premier mai mille neuf cent quatre-vingt",
        "bis Donnerstag, den ersten Mai neunzehnhundertachtzig",
    ),
    (
        "since the third of January, nineteen hundred",
        "depuis le trois janvier mille neuf cent",
        "seit dem dritten Januar neunzehnhundert",
    ),
    (
        "before the seventh of August, two thousand and one",
        "avant le sept août deux mille un",
        "vor dem siebten August zweitausendeins",
    ),
    (
        "after the thirty-first of March, nineteen oh-three",
        "après le trente et un mars mille neuf cent trois",
        "nach dem einunddreißigsten März neunzehnhundertdrei",
    ),
    ("until December 8th, 2000", "jusqu'au 8 décembre 2000", "bis zum 8. Dezember 2000"),
]


SMALL = DateCorpus("fr", train_size=2000, val_size=300, test_size=300, first_year=1900, last_year=2099, seed=0)


@pytest.mark.parametrize(("source", "french", "german"), NATIVE, ids=[source for source, *_ in NATIVE])
def test_translations_are_those_of_a_native(source: str, french: str, german: str) -> None:
    days = [
        datetime.date(1980, 5, 1),
        datetime.date(1994, 5, 23),
        datetime.date(2019, 6, 3),
        datetime.date(1900, 1, 3),
        datetime.date(2001, 8, 7),
        datetime.date(1903, 3, 31),
        datetime.date(2000, 12, 8),
    ]
    found = [
        (say(day, phrasing, "fr")[1], say(day, phrasing, "de")[1])
        for day in days
        for phrasing in ALL_PHRASINGS
        if say(day, phrasing, "fr")[0] == source
    ]
    assert found == [(french, german)]


def test_usual_forms_are_those_of_cldr() -> None:
    bare = next(iter(PHRASINGS))
    usual = {phrasing.english: phrasing for phrasing in PHRASINGS[bare] if not phrasing.abbreviated}
    short = {phrasing.english: phrasing for phrasing in PHRASINGS[bare] if phrasing.abbreviated}

    def agree(phrasing: Phrasing, english: str, french: str, german: str) -> None:
        assert (*say(day, phrasing, "fr"), say(day, phrasing, "de")[1]) == (english, french, german)

    for ordinal in random.Random(0).sample(range(693_596, 766_645), 200):
        day = datetime.date.fromordinal(ordinal)
        if day.day == 1:
            continue  # CLDR writes "1 mai"; French has "1er mai"
        for style, pattern in (("long", ""), ("full", "{weekday}, ")):
            french, german = (format_date(day, style, locale=language) for language in ("fr", "de"))
            british = format_date(day, style, locale="en_GB").replace(",", "")
            british = british.replace(" ", ", ", 1) if style == "full" else british
            agree(usual[pattern + "{month} {day}, {year}"], format_date(day, style, locale="en"), french, german)
            agree(usual[pattern + "{day} {month} {year}"], british, french, german)
        agree(
            short["{weekday}, {month} {day}, {year}"],
            *(format_skeleton("yMMMEd", day, locale=language) for language in ("en", "fr", "de")),
        )


@pytest.mark.parametrize("target_language", LANGUAGES)
def test_the_target_is_a_function_of_the_source(target_language: TargetLanguage) -> None:
    # Every month, every number of a day, and years of each kind, in every phrasing.
    days = [datetime.date(2019, month, 3) for month in range(1, 13)]
    days += [datetime.date(1994, 5, day) for day in range(1, 32)]
    days += [datetime.date(year, 5, 7) for year in range(1900, 2100)]
    targets: dict[str, str] = {}
    said: dict[str, datetime.date] = {}
    for day in set(days):
        for phrasing in ALL_PHRASINGS:
            source, target = say(day, phrasing, target_language)
            assert targets.setdefault(source, target) == target
            assert said.setdefault(source, day) == day
            for text in (source, target):
                assert text == " ".join(text.split())
                assert "{" not in text


def test_weekday_and_digits_are_there_where_the_source_has_them() -> None:
    day = datetime.date(2019, 6, 3)
    for phrasing in ALL_PHRASINGS:
        source, french = say(day, phrasing, "fr")
        _, german = say(day, phrasing, "de")
        assert ("Mon" in source) == ("lun" in french) == ("Mo" in german)
        for number in ("3 ", "2019"):
            in_source = number in source.replace("3rd", "3 ").replace("3,", "3 ") + " "
            assert in_source == (number in french + " ") == (number in german.replace("3.", "3 ") + " ")


def test_years_are_told_apart_in_words() -> None:
    phrasing = next(phrasing for phrasing in ALL_PHRASINGS if phrasing.year_words)
    for target_language in LANGUAGES:
        pairs = {say(datetime.date(year, 5, 7), phrasing, target_language) for year in range(FIRST_YEAR, LAST_YEAR + 1)}
        for side in zip(*pairs, strict=True):
            assert len(set(side)) == LAST_YEAR - FIRST_YEAR + 1


@pytest.mark.parametrize("target_language", LANGUAGES)
def test_splits_share_no_date(target_language: TargetLanguage) -> None:
    # All days of a year are used, so that a date in two splits could not hide.
    some = DateCorpus(target_language, 265, 50, 50, first_year=1994, last_year=1994, seed=0)
    day_of = {
        say(day, phrasing, target_language): day
        for day in (datetime.date(1994, 1, 1) + datetime.timedelta(days) for days in range(365))
        for phrasing in ALL_PHRASINGS
    }
    days = {split: [day_of[pair] for pair in some.pairs(split)] for split in SPLITS}
    assert [len(days[split]) for split in SPLITS] == [265, 50, 50]
    assert len({day for split in SPLITS for day in days[split]}) == 365


@pytest.mark.parametrize("target_language", LANGUAGES)
def test_all_words_are_seen_in_training(target_language: TargetLanguage, tmp_path: Path) -> None:
    data = DatesDataModule(target_language, val_size=1000, test_size=1000, cache_directory=str(tmp_path))
    pairs = list(data.pairs("train"))
    pieces: list[set[int]] = []
    for side, tokenizer in enumerate((data.source_tokenizer, data.target_tokenizer)):
        pieces.append({id_ for pair in pairs for id_ in tokenizer.encode(pair[side])})
        assert UNK not in pieces[side]
    for split in ("val", "test"):
        for source, target in data.pairs(split):
            assert pieces[0].issuperset(data.source_tokenizer.encode(source))
            assert pieces[1].issuperset(data.target_tokenizer.encode(target))
            assert data.source_tokenizer.decode(data.source_tokenizer.encode(source)) == source
            assert data.target_tokenizer.decode(data.target_tokenizer.encode(target)) == target


def test_no_target_tokenizer_means_a_joint_one(tmp_path: Path) -> None:
    sizes = {"train_size": 500, "val_size": 5, "test_size": 5, "cache_directory": str(tmp_path)}
    separate = DatesDataModule(**sizes)
    assert (separate.source_vocabulary_size, separate.target_vocabulary_size) == (340, 300)
    joint = DatesDataModule(**sizes, target_tokenizer=None)
    assert joint.source_tokenizer is joint.target_tokenizer
    assert UNK not in joint.source_tokenizer.encode("le mardi 4 août")


def test_pairs_are_a_function_of_the_seed() -> None:
    # Written out, for they are the same on every machine and in every process.
    assert list(islice(replace(SMALL, target_language="de").pairs("test"), 4)) == [
        ("until Thursday, the 1st of April, 2038", "bis Donnerstag, den 1. April 2038"),
        ("Mon, 5 Dec 2050", "Mo., 5. Dez. 2050"),
        ("until Monday, July thirteenth, 1914", "bis Montag, den dreizehnten Juli 1914"),
        ("Monday, November the thirtieth, 1992", "Montag, der dreißigste November 1992"),
    ]
    assert SMALL.content("train") == replace(SMALL).content("train")
    assert SMALL.content("train") != replace(SMALL, seed=1).content("train")
    assert len({SMALL.content(split) for split in SPLITS}) == 3


def test_more_training_leaves_the_other_splits_as_they_are() -> None:
    more = replace(SMALL, train_size=5000)
    for split in ("val", "test"):
        assert SMALL.content(split) == more.content(split)
    assert SMALL.content("train") != more.content("train")


def test_source_and_target_differ_in_order() -> None:
    swapped = 0
    for phrasing in ALL_PHRASINGS:
        day = datetime.date(2019, 6, 23)
        source, target = say(day, phrasing, "fr")
        assert re.search(r"(23|vingt-trois) juin", target)
        swapped += re.search(r"Jun.*(23|twenty-third)", source) is not None
    assert swapped > 0.4 * len(ALL_PHRASINGS)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"first_year": 2001, "last_year": 2000}, r"first_year is 2001 and last_year is 2000: .* not after the last"),
        ({"first_year": 1000}, r"first_year is 1000 .*: give years from 1583 to 2999"),
        ({"last_year": 3000}, r"last_year is 3000: give years from 1583 to 2999"),
        ({"val_size": 0}, r"val_size is 0: give at least 1"),
        (
            {"first_year": 2000, "last_year": 2000, "train_size": 267, "val_size": 50, "test_size": 50},
            r"add up to 367, but 2000 to 2000 has 366 days: lower the sizes, or widen first_year",
        ),
    ],
)
def test_settings_that_do_not_fit_are_the_users_error(settings: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message) as failed:
        DatesDataModule(cache_directory=str(tmp_path), **settings)
    assert "\n" not in str(failed.value)


def test_batches_hold_the_pairs(tmp_path: Path) -> None:
    data = DatesDataModule("de", train_size=400, val_size=30, test_size=20, cache_directory=str(tmp_path))
    assert (data.source_vocabulary_size, data.target_vocabulary_size) == (340, 300)
    pairs = list(data.pairs("test"))
    seen = {}
    for batch in data.predict_dataloader():
        for index, source, target in zip(batch.index, batch.source.values, batch.target.values, strict=True):
            seen[int(index)] = data.source_tokenizer.decode(source), data.target_tokenizer.decode(target)
    assert [seen[index] for index in range(20)] == pairs
    assert list(zip(data.sources("test"), data.references("test"), strict=True)) == pairs
    assert data.hparams["target_language"] == "de"
    assert data.hparams["train_size"] == 400
