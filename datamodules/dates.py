"""Dates in words, English to French or German: real language made on the spot, nothing downloaded.

Names of months and weekdays come from CLDR through Babel, numbers in words from num2words. A source has its order and
its register: "Monday, 3 June 2019", "June 3rd, 2019", "since the third of June, twenty nineteen". Its translation says
the same (the weekday where the source has it, words where the source has words, the same preposition) in the order and
the grammar of its language, so that it is a function of the source.
"""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import accumulate, pairwise
from typing import Literal

from babel import Locale
from num2words import num2words

from datamodules.batch import Split
from datamodules.corpora.corpus import hash_pairs
from datamodules.corpora.parallel import ParallelDataModule
from datamodules.curriculum import Curriculum
from datamodules.errors import UserError
from datamodules.plan import BatchUnit
from datamodules.tokenizers import SentencePieceTokenizer, Tokenizer

TargetLanguage = Literal["fr", "de"]

FIRST_YEAR, LAST_YEAR = 1583, 2999
"""The first whole year of the Gregorian calendar, and the last that is read out as below in all three languages."""


@dataclass(frozen=True)
class Opening:
    """What a date phrase begins with: nothing, an article or a preposition.

    Attributes:
        english: Before the English date.
        french: Before the French date.
        german: Before the German date; what comes before the weekday, and what between weekday and day.
        german_ending: Ending of the German ordinal in words: "dritter", "der dritte", "am dritten".
        weight: How often the opening is drawn, relative to the others.
    """

    english: str
    french: str
    german: str
    german_weekday: tuple[str, str]
    german_ending: str
    weight: int = 1


BARE = Opening("", "", "", ("", ""), "er", weight=3)
ARTICLE = Opening("", "le ", "der ", ("", "der "), "e", weight=3)
PREPOSITIONS = (
    Opening("on ", "le ", "am ", ("am ", "dem "), "en", weight=2),
    Opening("since ", "depuis le ", "seit dem ", ("seit ", "dem "), "en"),
    Opening("until ", "jusqu'au ", "bis zum ", ("bis ", "den "), "en"),
    Opening("before ", "avant le ", "vor dem ", ("vor ", "dem "), "en"),
    Opening("after ", "après le ", "nach dem ", ("nach ", "dem "), "en"),
)


@dataclass(frozen=True)
class Phrasing:
    """One way to say a date.

    Attributes:
        english: Pattern of the English date: ``{weekday}``, ``{month}``, ``{day}`` (3), ``{nth}`` (3rd), ``{ordinal}``
            (third), ``{year}``; the opening not included.
        opening: What it begins with, in each language.
        words: Whether the day is in words.
        year_words: Whether the year is in words.
        abbreviated: Whether weekday and month are abbreviated.
    """

    english: str
    opening: Opening
    words: bool = False
    year_words: bool = False
    abbreviated: bool = False

    @property
    def weekday(self) -> bool:
        """Whether the weekday is said."""
        return "{weekday}" in self.english


_DAY_IN_DIGITS = ("{day} {month} {year}", "{month} {day}, {year}", "{nth} {month} {year}", "{month} {nth}, {year}")
_DAY_IN_WORDS = ("{month} {ordinal}, {year}",)
_THE_DAY_IN_DIGITS = ("the {nth} of {month} {year}", "the {nth} of {month}, {year}", "{month} the {nth}, {year}")
_THE_DAY_IN_WORDS = (
    "the {ordinal} of {month} {year}",
    "the {ordinal} of {month}, {year}",
    "{month} the {ordinal}, {year}",
)
# English puts the weekday or the year elsewhere only in lists and archives, where no preposition stands before them.
_LISTED = ("{day} {month} {year} ({weekday})", "{month} {day}, {year} ({weekday})", "{year} {month} {day}")
_ABBREVIATED = (
    "{day} {month} {year}",
    "{month} {day}, {year}",
    "{weekday}, {day} {month} {year}",
    "{weekday}, {month} {day}, {year}",
)


def _with_weekday(patterns: tuple[str, ...]) -> tuple[str, ...]:
    return (*patterns, *("{weekday}, " + pattern for pattern in patterns))


def _phrasings(opening: Opening, digits: tuple[str, ...], words: tuple[str, ...]) -> list[Phrasing]:
    return [
        *(Phrasing(pattern, opening) for pattern in _with_weekday(digits)),
        *(
            Phrasing(pattern, opening, words=True, year_words=year_words)
            for pattern in _with_weekday(words)
            for year_words in (False, True)
        ),
    ]


PHRASINGS: dict[Opening, list[Phrasing]] = {
    BARE: [
        *_phrasings(BARE, _DAY_IN_DIGITS, _DAY_IN_WORDS),
        *(Phrasing(pattern, BARE) for pattern in _LISTED),
        *(Phrasing(pattern, BARE, abbreviated=True) for pattern in _ABBREVIATED),
    ],
    ARTICLE: _phrasings(ARTICLE, _THE_DAY_IN_DIGITS, _THE_DAY_IN_WORDS),
    **{
        opening: _phrasings(opening, _DAY_IN_DIGITS + _THE_DAY_IN_DIGITS, _DAY_IN_WORDS + _THE_DAY_IN_WORDS)
        for opening in PREPOSITIONS
    },
}
"""Every way to say a date, by its opening."""


def say(day: datetime.date, phrasing: Phrasing, target_language: TargetLanguage) -> tuple[str, str]:
    """A date in English and in the target language.

    Args:
        day: The date.
        phrasing: How to say it.
        target_language: ``fr`` or ``de``.

    Returns:
        Source and target. The target is a function of the source: no source has two.
    """
    return _english(day, phrasing), _TARGETS[target_language](day, phrasing)


def _english(day: datetime.date, phrasing: Phrasing) -> str:
    return phrasing.opening.english + phrasing.english.format(
        weekday=_weekday(day.weekday(), phrasing.abbreviated, "en"),
        month=_month(day.month, phrasing.abbreviated, "en"),
        day=day.day,
        nth=_in_words(day.day, "ordinal_num", "en"),
        ordinal=_in_words(day.day, "ordinal", "en"),
        year=_year(day, phrasing, "en"),
    )


def _french(day: datetime.date, phrasing: Phrasing) -> str:
    weekday = _weekday(day.weekday(), phrasing.abbreviated, "fr") + " " if phrasing.weekday else ""
    # Only the first of a month is an ordinal.
    if day.day == 1:
        number = "premier" if phrasing.words else "1er"
    else:
        number = _in_words(day.day, "cardinal", "fr") if phrasing.words else str(day.day)
    year = _year(day, phrasing, "fr")
    if day.year % 100 in (0, 80):
        year = year.removesuffix("s")  # "cents" and "vingts" lose their s where a number ranks, as a year does
    return f"{phrasing.opening.french}{weekday}{number} {_month(day.month, phrasing.abbreviated, 'fr')} {year}"


def _german(day: datetime.date, phrasing: Phrasing) -> str:
    opening = phrasing.opening
    weekday = _weekday(day.weekday(), phrasing.abbreviated, "de")
    before, between = opening.german_weekday
    start = f"{before}{weekday}, {between}" if phrasing.weekday else opening.german
    if phrasing.words:
        number = _in_words(day.day, "ordinal", "de").removesuffix("e") + opening.german_ending
    else:
        number = f"{day.day}."
    return f"{start}{number} {_month(day.month, phrasing.abbreviated, 'de')} {_year(day, phrasing, 'de')}"


_TARGETS: dict[TargetLanguage, Callable[[datetime.date, Phrasing], str]] = {"fr": _french, "de": _german}


@cache
def _weekday(number: int, abbreviated: bool, language: str) -> str:
    return Locale.parse(language).days["format"]["abbreviated" if abbreviated else "wide"][number]


@cache
def _month(number: int, abbreviated: bool, language: str) -> str:
    return Locale.parse(language).months["format"]["abbreviated" if abbreviated else "wide"][number]


def _year(day: datetime.date, phrasing: Phrasing, language: str) -> str:
    return _in_words(day.year, "year", language) if phrasing.year_words else str(day.year)


@cache
def _in_words(number: int, form: str, language: str) -> str:
    return num2words(number, to=form, lang=language)


@dataclass(frozen=True)
class DateCorpus:
    """Pairs of dates in two languages, a function of these settings alone: the same on every machine.

    Each day of the range comes once at most, in one phrasing, so that no two splits share a date.

    Attributes:
        target_language: ``fr`` or ``de``.
        train_size: Number of training pairs.
        val_size: Number of validation pairs.
        test_size: Number of test pairs.
        first_year: The earliest year of a date.
        last_year: The latest year of a date.
        seed: Seed of the days and their phrasings.

    Raises:
        UserError: A size is below 1, the years are out of order or range, or have fewer days than pairs are wanted.
    """

    target_language: TargetLanguage
    train_size: int
    val_size: int
    test_size: int
    first_year: int
    last_year: int
    seed: int

    def __post_init__(self) -> None:
        for name in ("train_size", "val_size", "test_size"):
            if getattr(self, name) < 1:
                raise UserError(f"data.init_args.{name} is {getattr(self, name)}: give at least 1")
        if not FIRST_YEAR <= self.first_year <= self.last_year <= LAST_YEAR:
            raise UserError(
                f"data.init_args.first_year is {self.first_year} and last_year is {self.last_year}: "
                f"give years from {FIRST_YEAR} to {LAST_YEAR}, the first not after the last"
            )
        wanted = self.train_size + self.val_size + self.test_size
        if wanted > len(self._days):
            raise UserError(
                f"data.init_args.train_size, val_size and test_size add up to {wanted}, but {self.first_year} to "
                f"{self.last_year} has {len(self._days)} days: lower the sizes, or widen first_year and last_year"
            )

    def pairs(self, split: Split) -> Iterator[tuple[str, str]]:
        """The (source, target) pairs of a split."""
        # Training comes last: more of it leaves validation and test as they are.
        bounds = accumulate((self.test_size, self.val_size, self.train_size), initial=0)
        start, end = dict(zip(("test", "val", "train"), pairwise(bounds), strict=True))[split]
        days = self._shuffled_days[start:end]
        generator = random.Random(f"{self.seed} {split}")
        openings = list(PHRASINGS)
        weights = [opening.weight for opening in openings]
        for day, opening in zip(days, generator.choices(openings, weights, k=len(days)), strict=True):
            yield say(datetime.date.fromordinal(day), generator.choice(PHRASINGS[opening]), self.target_language)

    def content(self, split: Split) -> str:
        """The hash (hex) of a split's pairs: another release of CLDR or num2words may word them otherwise."""
        return hash_pairs(self.pairs(split))

    @cached_property
    def _shuffled_days(self) -> list[int]:
        """The days in the order in which the splits take them."""
        return random.Random(self.seed).sample(self._days, len(self._days))

    @property
    def _days(self) -> range:
        """The days that there are, as ordinals."""
        first = datetime.date(self.first_year, 1, 1)
        return range(first.toordinal(), datetime.date(self.last_year, 12, 31).toordinal() + 1)


class DatesDataModule(ParallelDataModule):
    """Dates in words, English to French or German, made on the spot: no file is read, nothing is downloaded.

    "Monday, 3 June 2019", "since the twenty-third of May, nineteen ninety-four": many phrasings and orders, from
    CLDR's names and num2words' numbers. Train, validation and test share no date, in no phrasing.

    Args:
        target_language: ``fr`` or ``de``.
        train_size: Number of training pairs.
        val_size: Number of validation pairs.
        test_size: Number of test pairs.
        first_year: The earliest year of a date.
        last_year: The latest year of a date.
        corpus_seed: Seed of the days and their phrasings: another seed, another corpus.
        tokenizer: Tokenizer of the source, and of the target too unless ``target_tokenizer`` is given: then both share
            one vocabulary. It is trained on the training pairs.
        target_tokenizer: Tokenizer of the target, with a vocabulary of its own; null for that of the source.
        batch_size: Budget of one training batch, all processes together.
        batch_unit: What the budget counts: sentence pairs, or padded tokens of the longer side.
        eval_batch_size: Sentence pairs of one batch in validation, test and prediction, all processes together.
        max_length: Training pairs with more tokens on a side are skipped.
        seed: Seed of the order of the training batches.
        num_workers: Processes that load batches beside the training process; 0 loads in it.
        cache_directory: Where tokenizers and encoded text are kept; else $SEQLAB_CACHE, else ~/.cache/seqlab.
        curriculum: Which training batches come when; each once an epoch, in random order, if not given.
        joint_vocabulary: Whether two tokenizers, of words, characters or code, have one vocabulary: what each learns on
            its own side has the same ids on both, as ``tied: all`` needs.

    Raises:
        UserError: A size is below 1, the years are out of order or range, or have fewer days than pairs are wanted.
    """

    def __init__(
        self,
        target_language: TargetLanguage = "fr",
        train_size: int = 20_000,
        val_size: int = 500,
        test_size: int = 1_000,
        first_year: int = 1900,
        last_year: int = 2099,
        corpus_seed: int = 0,
        tokenizer: Tokenizer = SentencePieceTokenizer(vocabulary_size=340),  # noqa: B008 - copied before it is trained
        target_tokenizer: Tokenizer | None = SentencePieceTokenizer(vocabulary_size=300),  # noqa: B008 - likewise
        batch_size: int = 64,
        batch_unit: BatchUnit = "sentences",
        eval_batch_size: int = 64,
        max_length: int = 100,
        seed: int = 0,
        num_workers: int = 0,
        cache_directory: str | None = None,
        curriculum: Curriculum | None = None,
        joint_vocabulary: bool = False,
    ) -> None:
        super().__init__(
            tokenizer=tokenizer,
            target_tokenizer=target_tokenizer,
            batch_size=batch_size,
            batch_unit=batch_unit,
            eval_batch_size=eval_batch_size,
            max_length=max_length,
            seed=seed,
            num_workers=num_workers,
            cache_directory=cache_directory,
            curriculum=curriculum,
            joint_vocabulary=joint_vocabulary,
        )
        self._date_corpus = DateCorpus(
            target_language, train_size, val_size, test_size, first_year, last_year, corpus_seed
        )
        self._contents: dict[Split, str] = {}

    def pairs(self, split: Split) -> Iterator[tuple[str, str]]:
        """All (source, target) pairs of a split, made anew."""
        return self._date_corpus.pairs(split)

    def content(self, split: Split) -> str:
        """The hash (hex) of a split's pairs, made once."""
        if split not in self._contents:
            self._contents[split] = self._date_corpus.content(split)
        return self._contents[split]
