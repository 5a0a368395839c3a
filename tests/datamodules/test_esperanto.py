"""The endings are those of the language, and no root is in two splits."""

from pathlib import Path

import pytest

from datamodules.errors import UserError
from datamodules.esperanto import EsperantoDataModule, paradigm

FORMS = {
    ("hundo", "N;ACC;PL"): "hundojn",
    ("hundo", "N;NOM;SG"): "hundo",
    ("bela", "ADJ;ACC;SG"): "belan",
    ("bela", "ADJ;NOM;PL"): "belaj",
    ("kuri", "V;PRS"): "kuras",
    ("kuri", "V;COND"): "kurus",
    ("kuri", "V;IMP"): "kuru",
    ("kuri", "V.PTCP;ACT;FUT"): "kuronta",
    ("kuri", "V.PTCP;PASS;PST"): "kurita",
}


def test_forms_of_a_grammar() -> None:
    cells = {cell.features: cell for cell in paradigm()}
    assert len(cells) == 2 * 4 + 5 + 6
    for (lemma, features), form in FORMS.items():
        cell = cells[features]
        assert lemma.endswith(cell.lemma_ending)
        assert lemma.removesuffix(cell.lemma_ending) + cell.ending == form


def test_pairs_are_drawn_anew_alike_and_apart(tmp_path: Path) -> None:
    data = EsperantoDataModule(train_size=400, val_size=90, test_size=70, cache_directory=str(tmp_path))
    pairs = {split: list(data.pairs(split)) for split in data.splits}
    assert {split: len(found) for split, found in pairs.items()} == {"train": 400, "val": 90, "test": 70}
    assert all(list(data.pairs(split)) == found for split, found in pairs.items())
    cells = {cell.features: cell for cell in paradigm()}
    roots = {}
    for split, found in pairs.items():
        lines = [(*line.split("\t"), form) for line, form in found]
        roots[split] = {lemma.removesuffix(cells[features].lemma_ending) for lemma, features, _ in lines}
        for lemma, features, form in lines:
            assert lemma.removesuffix(cells[features].lemma_ending) + cells[features].ending == form
    assert not roots["train"] & roots["val"] | roots["train"] & roots["test"] | roots["val"] & roots["test"]
    assert {features for line, _ in pairs["train"] for features in [line.split("\t")[1]]} == set(cells)
    other = EsperantoDataModule(train_size=400, corpus_seed=1, cache_directory=str(tmp_path))
    assert list(other.pairs("train")) != pairs["train"]


def test_features_are_symbols_above_those_of_the_text(tmp_path: Path) -> None:
    data = EsperantoDataModule(train_size=2_000, cache_directory=str(tmp_path))
    source, target = data.source_tokenizer, data.target_tokenizer
    assert data.shared_vocabulary_size == target.vocabulary_size < source.vocabulary_size
    assert source.pieces(source.encode("hundo\tN;ACC;PL")) == ["N", "ACC", "PL", *"hundo"]
    assert source.encode("hundo\tN;ACC;PL")[3:] == target.encode("hundo")
    again = EsperantoDataModule(cache_directory=str(tmp_path))
    again.load_state_dict(data.state_dict())
    assert again.shared_vocabulary_size == data.shared_vocabulary_size
    assert again.target_tokenizer.fingerprint() == target.fingerprint()


def test_sizes_below_one_are_refused() -> None:
    with pytest.raises(UserError, match=r"data\.init_args\.val_size is 0: give at least 1"):
        EsperantoDataModule(val_size=0)
