"""Features beside the source: symbols of their own, before the text, and the same from a checkpoint alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datamodules.batch import SPECIAL_PIECES, UNK
from datamodules.corpora.corpus import TsvFile
from datamodules.corpora.features import Features, FeatureTokenizer, excerpt_of_lines
from datamodules.corpora.vocabularies import Unseen, extend, is_joint, unseen_symbols
from datamodules.errors import UserError
from datamodules.excerpts import LastWords
from datamodules.formats.columns import Column
from datamodules.formats.json_lines import JsonLinesFile
from datamodules.tokenizers import (
    CharacterTokenizer,
    SentencePieceTokenizer,
    Tokenizer,
    WhitespaceTokenizer,
    restore_tokenizer,
)
from datamodules.translation import TranslationDataModule

DATA = Path(os.environ.get("SEQLAB_DATA") or "data")
LINES = ["Nase\tN;ACC(SG)", "Name N\tN;NOM(PL)", "gehen\tV;NOM(1,SG)"]
COLUMNS = {"source": 0, "features": 1, "target": 2}


def trained(text: Tokenizer, lines: list[str] = LINES, **how: object) -> FeatureTokenizer:
    tokenizer = FeatureTokenizer(text, **how)
    tokenizer.train(lines)
    return tokenizer


@pytest.mark.parametrize(
    ("text", "whole", "apart"),
    [
        ("V;PRS;(1,SG)", ["V", "PRS", "(1,SG)"], ["V", "PRS", "1", "SG"]),
        ("N;ABL(PL;PSS(2,PL))", ["N", "ABL(PL;PSS(2,PL))"], ["N", "ABL", "PL", "PSS", "2", "PL"]),
        (" V ;; PST ", ["V", "PST"], ["V", "PST"]),
        ("", [], []),
        ("V);PST", ["V)", "PST"], ["V", "PST"]),
        ("V(1;SG", ["V(1;SG"], ["V", "1", "SG"]),
    ],
)
def test_features_with_brackets_are_kept_whole_or_taken_apart(text: str, whole: list[str], apart: list[str]) -> None:
    assert Features().split(text) == whole
    assert Features(brackets="apart").split(text) == apart


def test_another_separator_of_any_length() -> None:
    assert Features("+").split("V+PST") == ["V", "PST"]
    assert Features(" | ").split("V;a | PST") == ["V;a", "PST"]
    for wrong in ("", "\t"):
        with pytest.raises(UserError, match=r"data\.init_args\.features\.separator is"):
            Features(wrong).check()


@pytest.mark.parametrize("text", [CharacterTokenizer(), WhitespaceTokenizer(), SentencePieceTokenizer(24)])
def test_a_feature_is_one_id_before_the_text_that_no_text_has(text: Tokenizer) -> None:
    tokenizer = trained(text)
    ids = tokenizer.encode("Nase\tN;ACC(SG)")
    assert tokenizer.pieces(ids[:2]) == ["N", "ACC(SG)"]
    assert ids[2:] == tokenizer.text.encode("Nase")
    assert min(ids[:2]) >= tokenizer.text.vocabulary_size > max(ids[2:])
    assert tokenizer.vocabulary_size == tokenizer.text.vocabulary_size + 5  # N, V, ACC(SG), NOM(PL), NOM(1,SG)
    assert tokenizer.decode(ids) == "Nase\tN;ACC(SG)"
    assert tokenizer.encode_all(["", *LINES]) == [[], *map(tokenizer.encode, LINES)]
    assert tokenizer.merges() == tokenizer.text.merges()


def test_the_letter_and_the_feature_of_one_name_have_two_ids() -> None:
    tokenizer = trained(CharacterTokenizer())
    feature, letter = tokenizer.encode("N\tN")
    assert feature != letter
    assert tokenizer.encode("N\t") == [letter]
    assert tokenizer.encode("N\tV;GEN") == [tokenizer.encode("N\tV")[0], UNK, letter]


def test_new_letters_and_features_have_ids_behind_those_of_their_kind(tmp_path: Path) -> None:
    text = CharacterTokenizer()
    tokenizer = trained(text, ["ab\tN;SG", "ab\tN"])
    lines = [(1, "ab\tN;SG"), (3, "abN\tPL;c"), (4, "c\tPL")]
    unseen = unseen_symbols(tokenizer, lines)
    assert unseen == [Unseen("PL", 2, 3, True), Unseen("c", 1, 3, True), Unseen("N", 1, 3), Unseen("c", 1, 4)]
    before = tokenizer.pieces(range(tokenizer.vocabulary_size))
    assert extend(tokenizer, text, {"source": unseen, "target": []})["source"] == unseen
    assert tokenizer.pieces(range(tokenizer.vocabulary_size)) == [*before[:-2], "N", "c", *before[-2:], "PL", "c"]
    assert all(UNK not in tokenizer.encode(line) for _, line in lines)
    again = restore_tokenizer(tokenizer.describe())
    assert [again.encode(line) for _, line in lines] == [tokenizer.encode(line) for _, line in lines]


def test_the_order_of_the_columns_is_that_of_the_line() -> None:
    swapped = trained(
        CharacterTokenizer(), ["\t".join(reversed(line.split("\t"))) for line in LINES], features_first=True
    )
    assert [swapped.encode(swapped.joined(*line.split("\t"))) for line in LINES] == [
        trained(CharacterTokenizer()).encode(line) for line in LINES
    ]
    assert swapped.decode(swapped.encode("N;ACC(SG)\tNase")) == "N;ACC(SG)\tNase"
    with pytest.raises(UserError, match="0 tabs: a line has features and source, with one tab between them"):
        swapped.encode("Nase")


@pytest.mark.parametrize(("line", "tabs"), [("Nase", 0), ("Nase\tN\tNase", 2)])
def test_a_line_without_features_is_refused(line: str, tabs: int) -> None:
    with pytest.raises(UserError, match=f"{tabs} tabs: a line has source and features"):
        trained(CharacterTokenizer()).encode(line)


@pytest.mark.parametrize("text", [CharacterTokenizer(2), SentencePieceTokenizer(24)])
def test_a_description_is_enough_and_holds_plain_values(text: Tokenizer, tmp_path: Path) -> None:
    tokenizer = trained(text, brackets="apart")
    torch.save(tokenizer.describe(), tmp_path / "state")
    restored = restore_tokenizer(torch.load(tmp_path / "state", weights_only=True))
    assert restored.fingerprint() == tokenizer.fingerprint() != trained(text).fingerprint()
    assert restored.encode_all(LINES) == tokenizer.encode_all(LINES)
    assert restored.pieces(range(restored.vocabulary_size)) == tokenizer.pieces(range(tokenizer.vocabulary_size))


def test_a_damaged_state_is_told() -> None:
    for change in ({"trained": {}}, {"settings": {"text": 5}}, {"settings": {"text": {}}}):
        description = trained(CharacterTokenizer()).describe()
        description["state"] |= change
        with pytest.raises(UserError, match="damaged"):
            restore_tokenizer(description)


@given(st.lists(st.text("ABC123();,", max_size=12)), st.text("abc ", max_size=6))
def test_no_feature_is_lost_or_made_whatever_the_brackets(parts: list[str], source: str) -> None:
    cell = ";".join(parts)
    for features in (Features(), Features(brackets="apart")):
        split = features.split(cell)
        letters = "".join(split).translate(dict.fromkeys(map(ord, "();,[]{}")))
        assert letters == cell.translate(dict.fromkeys(map(ord, "();,[]{}")))
    assert ";".join(Features().split(cell)).replace(";", "") == cell.replace(";", "")


def write(path: Path, rows: list[str]) -> TsvFile:
    path.write_text("".join(f"{row}\n" for row in rows))
    return TsvFile(str(path), dict(COLUMNS))


def module(
    folder: Path, train: TsvFile, val: TsvFile | JsonLinesFile | None = None, target: Tokenizer | None = None
) -> TranslationDataModule:
    return TranslationDataModule(
        train,
        val or train,
        CharacterTokenizer(),
        target_tokenizer=target,
        features=Features(),
        cache_directory=str(folder / "cache"),
    )


@pytest.mark.parametrize("target", [None, CharacterTokenizer()])
def test_a_data_module_puts_features_before_the_source_alone(tmp_path: Path, target: Tokenizer | None) -> None:
    train = write(tmp_path / "a.tsv", ["Nase\tN;PL\tNasen", "\tN\tn", "geh\tV;PST\tging"])
    data = module(tmp_path, train, target=target)
    assert list(data.sources("train")) == ["Nase\tN;PL", "geh\tV;PST"]
    assert data.numbers("train", [0, 1]) == [1, 3]
    (batch,) = data.val_dataloader()
    rows = {
        data.references("val")[int(index)]: row for index, row in zip(batch.index, batch.source.values, strict=True)
    }
    assert data.source_tokenizer.pieces(rows["Nasen"][:6].tolist()) == ["N", "PL", *"Nase"]
    assert data.target_vocabulary_size == len(SPECIAL_PIECES) + len(set("Nasenging" if target else "NasegehNasenging"))
    assert (data.source_vocabulary_size == data.target_vocabulary_size + 4) or target is not None
    restored = module(tmp_path, train, target=target)
    restored.load_state_dict(data.state_dict())
    assert restored.source_tokenizer.fingerprint() == data.source_tokenizer.fingerprint()
    assert restored.target_tokenizer.fingerprint() == data.target_tokenizer.fingerprint()


def test_the_text_beside_features_may_have_one_vocabulary_with_the_target(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("ab\tN;SG\txy\nb\tV\tbz\n")
    text = TsvFile(str(tmp_path / "a.tsv"), COLUMNS)
    data = TranslationDataModule(
        text,
        text,
        CharacterTokenizer(),
        target_tokenizer=CharacterTokenizer(),
        joint_vocabulary=True,
        features=Features(),
        cache_directory=str(tmp_path / "cache"),
    )
    source, target = data.source_tokenizer, data.target_tokenizer
    assert source.vocabulary_size == target.vocabulary_size + 3
    assert data.shared_vocabulary_size == target.vocabulary_size == len(SPECIAL_PIECES) + 5
    for line, features in (("ab\tN;SG", ["N", "SG"]), ("xyz\tV", ["V"])):
        assert source.encode(line)[len(features) :] == target.encode(line.partition("\t")[0])
        assert source.pieces(source.encode(line))[: len(features)] == features
    again = restore_tokenizer(source.describe())
    assert again.encode("abz\tV;SG") == source.encode("abz\tV;SG")
    assert is_joint(again, restore_tokenizer(target.describe()))


@pytest.mark.parametrize("columns", [COLUMNS, {"features": 0, "source": 1, "target": 2}])
def test_an_excerpt_is_of_the_source_and_features_are_read_whole(tmp_path: Path, columns: dict[str, Column]) -> None:
    cells = {"source": "a b c d", "features": "V;PRS;3 SG", "target": "x"}
    line = "\t".join(cells[name] for name in sorted(columns, key=lambda name: columns[name]))
    (tmp_path / "a.tsv").write_text(f"{line}\n" * 3)
    text = TsvFile(str(tmp_path / "a.tsv"), columns)
    data = TranslationDataModule(
        text,
        text,
        WhitespaceTokenizer(),
        target_tokenizer=WhitespaceTokenizer(),
        features=Features(),
        excerpt=LastWords(2),
        cache_directory=str(tmp_path / "cache"),
    )
    read = "c d\tV;PRS;3 SG" if columns == COLUMNS else "V;PRS;3 SG\tc d"
    assert list(data.sources("train")) == [read] * 3
    excerpt = excerpt_of_lines(LastWords(2), data.source_tokenizer)
    assert excerpt is not None
    assert excerpt.of(read) == read
    assert not excerpt.cuts(read)
    assert excerpt.of("a b c d") == "a b c d", "which is no line of features and source, and refused as such"


def test_splits_in_other_forms_and_orders_become_the_same_lines(tmp_path: Path) -> None:
    train = write(tmp_path / "a.tsv", ["Nase\tN;PL\tNasen"])
    (tmp_path / "b.jsonl").write_text('{"lemma": "Nase", "form": "Nasen", "tags": "N;PL"}\n')
    val = JsonLinesFile(str(tmp_path / "b.jsonl"), {"source": "lemma", "target": "form", "features": "tags"})
    data = module(tmp_path, train, val)
    assert data.sources("val")[0] == data.sources("train")[0] == "Nase\tN;PL"
    first = TsvFile(str(tmp_path / "c.tsv"), {"features": 0, "source": 1, "target": 2})
    (tmp_path / "c.tsv").write_text("N;PL\tNase\tNasen\n")
    swapped = module(tmp_path, first, val)
    assert swapped.sources("val")[0] == swapped.sources("train")[0] == "N;PL\tNase"
    swapped.load_state_dict(data.state_dict())
    assert swapped.sources("train")[0] == "Nase\tN;PL"  # as the checkpoint's lines are


def test_features_without_the_setting_and_the_setting_without_features(tmp_path: Path) -> None:
    with_column, without = write(tmp_path / "a.tsv", ["a\tN\tb"]), TsvFile(str(tmp_path / "a.tsv"))
    plain = TranslationDataModule(without, without, CharacterTokenizer(), cache_directory=str(tmp_path / "cache"))
    with pytest.raises(UserError, match=r"init_args\.train names a column of features, but .*features is not set"):
        TranslationDataModule(with_column, without, CharacterTokenizer())
    with pytest.raises(UserError, match=r"features is set, but data\.init_args\.val names no column of features"):
        TranslationDataModule(with_column, without, CharacterTokenizer(), features=Features())
    data = module(tmp_path, with_column)
    with pytest.raises(UserError, match=r"features is null, but was \{\"separator\": \";\".* in training"):
        plain.load_state_dict(data.state_dict())


def test_inflection_is_read_in_its_own_form(tmp_path: Path) -> None:
    if not (DATA / "inflection" / "deu_train.tsv.gz").is_file():
        pytest.skip(f"no inflection data in {DATA}: set SEQLAB_DATA")
    sizes = {"deu": 23, "hun": 70, "swa": 53}
    for language, size in sizes.items():
        texts = [
            TsvFile(str(DATA / "inflection" / f"{language}_{name}.tsv.gz"), dict(COLUMNS)) for name in ("train", "dev")
        ]
        data = module(tmp_path, *texts)
        tokenizer = data.source_tokenizer
        assert isinstance(tokenizer, FeatureTokenizer)
        assert len(data.sources("train")) == 10_000
        assert len(data.sources("val")) == 1_000
        assert tokenizer.vocabulary_size - tokenizer.text.vocabulary_size == size
        assert all(tokenizer.decode(tokenizer.encode(line)) == line for line in data.sources("train")[::100])


def test_pronunciations_are_read_in_their_own_form(tmp_path: Path) -> None:
    if not (DATA / "g2p" / "hun_train.tsv.gz").is_file():
        pytest.skip(f"no g2p data in {DATA}: set SEQLAB_DATA")
    train, val, test = (TsvFile(str(DATA / "g2p" / f"hun_{name}.tsv.gz")) for name in ("train", "dev", "test"))
    data = TranslationDataModule(
        train, val, CharacterTokenizer(), test, WhitespaceTokenizer(), cache_directory=str(tmp_path / "cache")
    )
    assert [len(data.sources(split)) for split in data.splits] == [3600, 450, 450]
    assert "ɟː" in data.target_tokenizer.pieces(range(data.target_vocabulary_size))
