"""What each tokenizer promises of decode(encode(x)), for any sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodules.batch import UNK
from datamodules.tokenizers import (
    CharacterTokenizer,
    CodeTokenizer,
    SentencePieceTokenizer,
    Tokenizer,
    WhitespaceTokenizer,
    restore_tokenizer,
)

ALPHABET = "abcde ABC  äß\t\r\x0b\x0c\x1c\x85\xa0\u200b\ufeff\u3000\u0301\u4e2d\u5edf\u05d0\U0001f600\U0001f468"
"""What the training text has: scripts, spaces of all kinds, combining marks, emoji."""

KNOWN = st.text(st.sampled_from(ALPHABET), max_size=40)
ANYTHING = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
"""Surrogates are no characters of a text in UTF-8."""


def trained(tokenizer: Tokenizer) -> Tokenizer:
    rotations = [ALPHABET[start:] + ALPHABET[:start] for start in range(len(ALPHABET))]
    tokenizer.train([*rotations, "abcde " * 20, "ABC äß " * 20])
    return tokenizer


TOKENIZERS = [
    trained(each)
    for each in (
        SentencePieceTokenizer(len(set(ALPHABET)) + 15),
        SentencePieceTokenizer(len(set(ALPHABET)) + 15, "unigram"),
        CharacterTokenizer(),
        WhitespaceTokenizer(),
        CodeTokenizer(literals=True),
    )
]
each_tokenizer = pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=lambda tokenizer: type(tokenizer).__name__)


@pytest.mark.parametrize("tokenizer", TOKENIZERS[:3], ids=lambda tokenizer: type(tokenizer).__name__)
@given(sentence=KNOWN)
def test_a_sentence_of_known_characters_comes_back(tokenizer: Tokenizer, sentence: str) -> None:
    ids = tokenizer.encode(sentence)
    assert UNK not in ids
    assert tokenizer.decode(ids) == sentence


@given(text=st.lists(ANYTHING, min_size=1, max_size=5), spaces=st.sampled_from([" ", "  ", "\t", "\u3000", "\u2028"]))
def test_words_come_back_with_single_spaces(text: list[str], spaces: str) -> None:
    words = " ".join(text).split()
    if not words:
        return
    tokenizer = WhitespaceTokenizer()
    tokenizer.train(text)
    assert tokenizer.decode(tokenizer.encode(spaces.join(words))) == " ".join(words)


@each_tokenizer
@given(sentence=ANYTHING)
def test_any_sentence_has_ids_of_the_vocabulary(tokenizer: Tokenizer, sentence: str) -> None:
    ids = tokenizer.encode(sentence)
    assert all(UNK <= id_ < tokenizer.vocabulary_size for id_ in ids)
    assert len(tokenizer.pieces(ids)) == len(ids)
    assert isinstance(tokenizer.decode(ids), str)


@each_tokenizer
@given(sentences=st.lists(st.one_of(KNOWN, ANYTHING), max_size=5))
def test_several_at_once_are_each_alone(tokenizer: Tokenizer, sentences: list[str]) -> None:
    assert tokenizer.encode_all(sentences) == [tokenizer.encode(each) for each in sentences]


@pytest.mark.parametrize("make", [CharacterTokenizer, WhitespaceTokenizer])
@given(text=st.lists(ANYTHING, min_size=1, max_size=5), other=ANYTHING)
def test_a_restored_vocabulary_of_any_text_is_the_same(make: type[Tokenizer], text: list[str], other: str) -> None:
    if not "".join(text).split():
        return
    tokenizer = make()
    tokenizer.train(text)
    restored = restore_tokenizer(tokenizer.describe())
    for sentence in (*text, other):
        assert restored.encode(sentence) == tokenizer.encode(sentence)
    assert restored.fingerprint() == tokenizer.fingerprint()
