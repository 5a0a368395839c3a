"""Stems that are made up: the same on both sides, drawn for each pair and epoch alone, and nothing else changes."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules.batch import SequenceBatch
from datamodules.corpora.corpus import TextFiles, TsvFile
from datamodules.corpora.features import Features
from datamodules.corpora.hallucination import BORDER, StemHallucination
from datamodules.errors import UserError
from datamodules.tokenizers import CharacterTokenizer, WhitespaceTokenizer
from datamodules.translation import TranslationDataModule
from tests.datamodules.corpora.test_piece_dropout import rows

LEMMAS = ["hundo", "domego", "arbaro", "florejo", "kastelo", "montaro"]
FORMS = [(lemma, f"mal{lemma}jn") for lemma in LEMMAS]


@pytest.fixture(scope="module")
def tokenizer() -> CharacterTokenizer:
    made = CharacterTokenizer()
    made.train([text for pair in FORMS for text in pair])
    return made


def batch_of(tokenizer: CharacterTokenizer, index: list[int]) -> SequenceBatch:
    pairs = [FORMS[position % len(FORMS)] for position in index]
    sources, targets = ([tokenizer.encode(pair[side]) for pair in pairs] for side in (0, 1))
    return SequenceBatch.from_pairs(sources, targets, torch.tensor(index))


def symbols_of(tokenizer: CharacterTokenizer) -> np.ndarray:
    return np.concatenate([tokenizer.encode(lemma) for lemma, _ in FORMS])


def hallucination(tokenizer: CharacterTokenizer, rate: float, seed: int) -> StemHallucination:
    return StemHallucination(rate, tokenizer, tokenizer, symbols_of(tokenizer), seed)


def test_what_is_added_to_a_stem_stays_and_the_stem_is_the_same_on_both_sides(
    tokenizer: CharacterTokenizer, seed: int
) -> None:
    batch = batch_of(tokenizer, list(range(300)))
    made = rows(hallucination(tokenizer, 1.0, seed)(batch, epoch=0))
    changed = 0
    for index, (source, target) in made.items():
        lemma, form = FORMS[index % len(FORMS)]
        text = tokenizer.decode(source)
        assert tokenizer.decode(target) == f"mal{text}jn"
        assert len(text) == len(lemma)
        assert text[-BORDER:] == lemma[-BORDER:]
        assert len(form) == len(target)
        changed += text != lemma
    assert changed > 200  # a run from the same word, or one that ends too soon, leaves some as they were


def test_a_share_is_made_up_and_none_at_a_rate_of_zero(tokenizer: CharacterTokenizer, seed: int) -> None:
    batch = batch_of(tokenizer, list(range(2000)))
    before = rows(batch)
    assert rows(hallucination(tokenizer, 0.0, seed)(batch, epoch=0)) == before
    whole = rows(hallucination(tokenizer, 1.0, seed)(batch, epoch=0))
    part = rows(hallucination(tokenizer, 0.25, seed)(batch, epoch=0))
    count = sum(part[index] != before[index] for index in before) / sum(
        whole[index] != before[index] for index in before
    )
    assert count == pytest.approx(0.25, abs=0.05)


def test_what_is_drawn_depends_on_seed_epoch_and_pair_alone(tokenizer: CharacterTokenizer) -> None:
    made = hallucination(tokenizer, 1.0, 1)
    whole = rows(made(batch_of(tokenizer, list(range(60))), epoch=2))
    part = batch_of(tokenizer, [47, 3, 5])
    assert rows(made(part, epoch=2)) == {index: whole[index] for index in (47, 3, 5)}
    assert rows(made(part, epoch=3)) != rows(made(part, epoch=2))
    assert rows(hallucination(tokenizer, 1.0, 2)(part, epoch=2)) != rows(made(part, epoch=2))


def test_short_stems_are_left_as_they_are(tokenizer: CharacterTokenizer, seed: int) -> None:
    ids = [tokenizer.encode(text) for text in ("hund", "hundo")]
    batch = SequenceBatch.from_pairs([ids[0]], [ids[1]], torch.tensor([0]))
    assert rows(hallucination(tokenizer, 1.0, seed)(batch, epoch=0)) == rows(batch)


def test_features_are_neither_replaced_nor_put_into_a_word(tmp_path: Path, seed: int) -> None:
    table = tmp_path / "train.tsv.gz"
    lines = [f"{lemma}\tN;ACC(PL)\t{lemma}jn\n" for lemma in LEMMAS]
    table.write_bytes(gzip.compress("".join(lines * 10).encode()))
    text = TsvFile(str(table), {"source": 0, "features": 1, "target": 2})
    data = TranslationDataModule(
        text,
        text,
        tokenizer=CharacterTokenizer(),
        features=Features(";", "apart"),
        cache_directory=str(tmp_path),
    )
    tokenizer, known = data.source_tokenizer, data.target_vocabulary_size
    corpus = data._corpus("train")
    made = StemHallucination(1.0, tokenizer, data.target_tokenizer, corpus.source_symbols, seed)
    batch = corpus[list(range(60))]
    for source, target in rows(made(batch, 0)).values():
        features, letters = source[:3], source[3:]
        assert tokenizer.pieces(features) == ["N", "ACC", "PL"]
        assert all(id_ < known for id_ in letters + target)
        assert target == letters + target[-2:]
    assert rows(made(batch, 0)) != rows(batch)


def test_two_vocabularies(tokenizer: CharacterTokenizer) -> None:
    other = WhitespaceTokenizer()
    other.train(["h u n d o"])
    with pytest.raises(UserError, match=r"two vocabularies: leave target_tokenizer out, or set joint_vocabulary"):
        StemHallucination(0.5, tokenizer, other, symbols_of(tokenizer), seed=1)


@pytest.mark.parametrize("rate", [-0.1, 1.1])
def test_a_rate_that_is_none(tmp_path: Path, rate: float) -> None:
    text = TextFiles("none", "none")
    with pytest.raises(UserError, match=r"data\.init_args\.hallucination is .*: give 0 to 1"):
        TranslationDataModule(text, text, CharacterTokenizer(), hallucination=rate, cache_directory=str(tmp_path))
