"""Lines of a file by their numbers: those that are named, told by their number in the file, and no line twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodules.corpora.corpus import TextFiles
from datamodules.corpora.held_out import HeldOut
from datamodules.errors import UserError
from datamodules.formats.forms import check_apart, check_form
from datamodules.formats.lines import Lines
from datamodules.tokenizers import WhitespaceTokenizer
from datamodules.translation import TranslationDataModule
from experiments.cli import main


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Ten lines, of which the fifth is empty."""
    for end, word in (("en", "one"), ("de", "eins")):
        lines = [f"{word} {number}" if number != 5 else "" for number in range(1, 11)]
        (tmp_path / f"all.{end}").write_text("".join(f"{line}\n" for line in lines))
    return tmp_path


def form(folder: Path, first: int = 1, last: int | None = None, fold: bool = False) -> TextFiles:
    return TextFiles(str(folder / "all.en"), str(folder / "all.de"), Lines(first, last), fold)


def module(folder: Path, **texts: TextFiles | HeldOut) -> TranslationDataModule:
    return TranslationDataModule(
        **texts,  # type: ignore[arg-type]
        tokenizer=WhitespaceTokenizer(),
        cache_directory=str(folder / "cache"),
    )


@given(
    count=st.integers(1, 20), first=st.integers(1, 22), length=st.none() | st.integers(0, 20), other=st.integers(1, 22)
)
def test_lines_are_a_slice(count: int, first: int, length: int | None, other: int) -> None:
    lines = Lines(first, None if length is None else first + length)
    items = list(range(1, count + 1))
    needed = lines.last or lines.first
    if needed > count:
        with pytest.raises(UserError, match=rf"^here: lines\.\w+ is {needed}, but there are {count} lines: name no"):
            list(lines.of(items, "here"))
        return
    chosen = items[first - 1 : lines.last]
    assert list(lines.of(items, "here")) == chosen
    assert lines.overlaps(Lines(other)) == Lines(other).overlaps(lines) == any(
        number >= other for number in chosen
    ) or (lines.last is None)


def test_splits_by_position_are_told_by_the_lines_of_the_file(corpus: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = module(corpus, train=form(corpus, 3, 6), val=form(corpus, 7, 7), test=form(corpus, 8))
    assert [list(data.pairs(split)) for split in ("val", "test")] == [
        [("one 7", "eins 7")],
        [(f"one {number}", f"eins {number}") for number in (8, 9, 10)],
    ]
    with caplog.at_level("INFO"):
        assert list(data.sources("train")) == ["one 3", "one 4", "one 6"]
    assert "1 empty (the first in line 5) skipped" in caplog.text
    assert data.numbers("train", [0, 2]) == [3, 6]
    assert data.place("test", [1]) == f"lines 9 of {corpus}/all.en and {corpus}/all.de"
    assert {each.symbol: each.number for each in data.unseen("test")["source"]} == {"8": 8, "9": 9, "10": 10}
    assert len(set(data.fingerprints().values())) == 3


def test_pairs_held_out_of_lines_keep_their_numbers(corpus: Path) -> None:
    data = module(corpus, train=form(corpus, 6), split=HeldOut(val=0.5))
    found = {number for split in data.splits for number in data.numbers(split, range(len(data.sources(split))))}
    assert found == {6, 7, 8, 9, 10}
    assert data.sources("val")[0] == f"one {data.numbers('val', [0])[0]}"


def test_lines_that_are_not_named_leave_the_cache_as_it_was(corpus: Path) -> None:
    whole = TextFiles(str(corpus / "all.en"), str(corpus / "all.de"))
    assert whole.layout() == {}
    assert list(whole.pairs()) == list(form(corpus).pairs())


def test_spaces_are_folded_where_it_is_asked_for(corpus: Path) -> None:
    (corpus / "all.en").write_text("    if  x :\n")
    (corpus / "all.de").write_text("\twenn x  :  \n")
    assert list(form(corpus).pairs()) == [("    if  x :", "\twenn x  :  ")]
    assert list(form(corpus, fold=True).pairs()) == [("if x :", "wenn x :")]
    assert form(corpus, fold=True).layout() != form(corpus).layout()


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        (0, 4, r"^train\.lines\.first is 0: lines are counted from 1$"),
        (-3, None, r"^train\.lines\.first is -3: lines are counted from 1$"),
        (5, 4, r"^train\.lines\.last is 4, before the first, 5: both belong to the lines$"),
    ],
)
def test_lines_that_no_file_has_are_refused(corpus: Path, first: int, last: int | None, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_form(form(corpus, first, last), "train")


def test_lines_of_two_splits_are_refused(corpus: Path) -> None:
    with pytest.raises(
        UserError, match=r"^a and b have lines of .*all\.en and .*all\.de in common: part them by lines"
    ):
        check_apart({"a": form(corpus, 1, 6), "b": form(corpus, 6, 8)})
    whole = TextFiles(str(corpus / "all.en"), str(corpus / "all.de"))
    with pytest.raises(UserError, match="in common"):
        check_apart({"a": whole, "b": form(corpus, 10)})
    other = TextFiles(f"{corpus}/../{corpus.name}/all.en", str(corpus / "all.de"), Lines(6))
    with pytest.raises(UserError, match="in common"):
        check_apart({"a": form(corpus, 1, 6), "b": other})
    check_apart({"a": whole, "b": whole, "c": TextFiles("other", "one", Lines(2))})
    check_apart({"a": form(corpus, 1, 6), "b": form(corpus, 7, 8), "c": form(corpus, 9)})


def test_a_config_with_too_many_lines_ends_in_one_line(corpus: Path, capfd: pytest.CaptureFixture[str]) -> None:
    files = f"source: {corpus}/all.en, target: {corpus}/all.de"
    options = ["--data.init_args.train", f"{{{files}, lines: {{first: 1, last: 8}}}}"]
    options += ["--data.init_args.tokenizer", "WhitespaceTokenizer", "--data.init_args.cache_directory", str(corpus)]
    options += ["--trainer.default_root_dir", str(corpus)]
    for lines, message in (
        ("{first: 9, last: 12}", "lines.last is 12, but there are 10 lines: name no more"),
        ("{first: 8}", "data.init_args.train and data.init_args.val have lines of"),
    ):
        val = ["--data.init_args.val", f"{{{files}, lines: {lines}}}"]
        assert (
            main(["fit", "--config", "configs/code/django.yaml", *options, *val, "--data.init_args.test", "null"]) == 2
        )
        assert message in capfd.readouterr().err
