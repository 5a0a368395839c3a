"""An excerpt is what it says, an excerpt of it is itself, and a data module reads it in every split, and tells it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from datamodules.batch import UNK
from datamodules.errors import UserError
from datamodules.excerpts import Excerpt, FirstWords, LastTurns, LastWords
from datamodules.tokenizers import WhitespaceTokenizer
from datamodules.translation import TranslationDataModule


@pytest.mark.parametrize(
    ("excerpt", "source", "kept"),
    [
        (FirstWords(3), "a  b\tc d", "a b c"),
        (FirstWords(4), "a  b c  d", "a  b c  d"),
        (LastWords(2), "a b c", "b c"),
        (LastTurns(1), "X = 1 <usr> a <sys> b <usr> c", "X = 1 <usr> c"),
        (LastTurns(2), "<usr> a <sys> b <usr> c", "<sys> b <usr> c"),
        (LastTurns(9, turn_words=2), "<usr> a b c <sys> d", "<usr> b c <sys> d"),
        (LastTurns(0), "X <usr> a", "X"),
        (LastTurns(0), "<usr> a", ""),
        (LastTurns(1, markers=("U:", "S:")), "U: a<usr> S: b", "S: b"),
        (LastTurns(5), "no turn at all", "no turn at all"),
    ],
)
def test_what_is_read(excerpt: Excerpt, source: str, kept: str) -> None:
    assert excerpt.of(source) == kept


def test_an_excerpt_of_an_excerpt_is_itself(seed: int) -> None:
    draw = random.Random(seed)
    kinds = [FirstWords(4), LastWords(4), LastTurns(2, turn_words=2), LastTurns(0)]
    for _ in range(300):
        source = " ".join(draw.choices(["a", "b", " ", "<usr>", "<sys>", "<usr>x"], k=draw.randint(0, 12)))
        for excerpt in kinds:
            kept = excerpt.of(source)
            assert excerpt.of(kept) == kept
            assert not excerpt.cuts(kept)
            assert len(kept.split()) <= len(source.split())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FirstWords(0), "words of FirstWords is 0: give at least 1"),
        (lambda: LastTurns(-1), "turns of LastTurns is -1: give at least 0"),
        (lambda: LastTurns(turn_words=0), "turn_words of LastTurns is 0"),
        (lambda: LastTurns(markers=("<usr>", "<usr>")), "give two words"),
        (lambda: LastTurns(markers=("the user", "<sys>")), "give two words"),
    ],
)
def test_what_cannot_be_is_refused(make: type[Excerpt], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make()


def data(folder: Path, excerpt: Excerpt | None) -> TranslationDataModule:
    for split, far in (("train", "far"), ("val", "farther"), ("test", "away")):
        (folder / split).write_text(f"one two\teins zwei\none two three {far}\teins drei\n")
    files = {split: {"tsv": str(folder / split)} for split in ("train", "val", "test")}
    from datamodules.corpora.corpus import TsvFile

    return TranslationDataModule(
        **{split: TsvFile(file["tsv"]) for split, file in files.items()},
        tokenizer=WhitespaceTokenizer(),
        excerpt=excerpt,
        cache_directory=str(folder / "cache"),
    )


def test_every_split_is_cut_and_no_vocabulary_has_what_was_cut(
    tmp_path: Path, reports: pytest.LogCaptureFixture
) -> None:
    module = data(tmp_path, FirstWords(3))
    for split in module.splits:
        assert list(module.sources(split)) == ["one two", "one two three"]
        assert f"{split}: 1 sources cut to their first 3 words (the first in line 2)" in reports.messages
    assert UNK in module.source_tokenizer.encode("far")
    assert data(tmp_path, None).sources("test")[1] == "one two three away"
    assert module.read_content("train") != data(tmp_path, FirstWords(2)).read_content("train")
    again = data(tmp_path, None)
    assert again.read_content("train") == again.content("train")
    assert "excerpt" not in again.state_dict()
    assert module.state_dict()["excerpt"]["init_args"] == {"words": 3}
