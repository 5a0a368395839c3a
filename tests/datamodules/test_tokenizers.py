"""Tokenizers: nothing is lost on the way there and back, and a state says all that a tokenizer is."""

from __future__ import annotations

import copy
import io
import pickle
import random
import unicodedata

import pytest
import torch

from datamodules.batch import BOS, EOS, PAD, SPECIAL_PIECES, UNK
from datamodules.errors import UserError
from datamodules.tokenizers import (
    CharacterTokenizer,
    SentencePieceTokenizer,
    Tokenizer,
    WhitespaceTokenizer,
    restore_tokenizer,
)

SENTENCES = [
    "A man in an orange hat starring at something.",
    "Ein Mann mit einem orangefarbenen Hut, der etwas anstarrt.",
    "Two young, White males are outside near many bushes.",
    "Zwei junge weiße Männer sind im Freien in der Nähe vieler Büsche.",
]


def trained(tokenizer: Tokenizer) -> Tokenizer:
    tokenizer.train(SENTENCES)
    return tokenizer


def each() -> list[Tokenizer]:
    return [
        SentencePieceTokenizer(60),
        SentencePieceTokenizer(60, "unigram"),
        WhitespaceTokenizer(),
        CharacterTokenizer(),
    ]


def random_sentences(count: int, generator: random.Random) -> list[str]:
    """Random Unicode: scripts of all kinds, combining marks, emoji and runs of spaces."""
    ranges = [
        (0x20, 0x7E),
        (0x20, 0x20),
        (0xA0, 0x17F),
        (0x300, 0x36F),
        (0x3B1, 0x5EA),
        (0x4E00, 0x4E20),
        (0x1F600, 0x1F64F),
    ]
    reserved = {"\u2581", "\u2585"}  # SentencePiece's own signs for a space and for an unknown character
    alphabet = [
        character
        for start, end in ranges
        for character in map(chr, range(start, end + 1))
        if unicodedata.category(character) != "Cn" and character not in reserved
    ]
    return ["".join(generator.choices([*alphabet, " ", " "], k=generator.randrange(30))) for _ in range(count)]


@pytest.mark.parametrize("tokenizer", [SentencePieceTokenizer(3000), CharacterTokenizer()])
def test_every_sentence_of_known_characters_comes_back(tokenizer: Tokenizer) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    generator = random.Random(seed)
    sentences = random_sentences(400, generator)
    tokenizer.train(sentences)
    for sentence in sentences:
        assert tokenizer.decode(tokenizer.encode(sentence)) == sentence
    for start in range(0, 400, 5):  # sentences that were never seen, of characters that were
        unseen = "".join(generator.choices("".join(sentences[start : start + 5]), k=5))
        assert tokenizer.decode(tokenizer.encode(unseen)) == unseen


def test_sentencepiece_learns_from_long_sentences() -> None:
    tokenizer = SentencePieceTokenizer(15)
    tokenizer.train(["ab " * 20, "xyz " * 5000])
    assert UNK not in tokenizer.encode("xyz")


def test_words_come_back_with_single_spaces() -> None:
    tokenizer = trained(WhitespaceTokenizer())
    assert tokenizer.decode(tokenizer.encode("  A   man in\tan hat ")) == "A man in an hat"


@pytest.mark.parametrize("tokenizer", each(), ids=lambda tokenizer: type(tokenizer).__name__)
def test_reserved_ids_are_shown_but_not_decoded(tokenizer: Tokenizer) -> None:
    trained(tokenizer)
    ids = tokenizer.encode("Ein Mann")
    assert min(ids) > UNK
    assert max(ids) < tokenizer.vocabulary_size
    assert tokenizer.decode([BOS, *ids, EOS, PAD, PAD]) == "Ein Mann"
    assert tokenizer.pieces([PAD, BOS, EOS, UNK]) == list(SPECIAL_PIECES)
    assert len(tokenizer.pieces([*ids, EOS])) == len(ids) + 1
    assert tokenizer.encode("") == []
    assert tokenizer.decode([]) == ""


@pytest.mark.parametrize("tokenizer", each(), ids=lambda tokenizer: type(tokenizer).__name__)
def test_what_the_vocabulary_lacks_is_unknown(tokenizer: Tokenizer) -> None:
    trained(tokenizer)
    ids = tokenizer.encode("\u4e2d")
    assert UNK in ids
    assert tokenizer.decode(ids).strip() == "<unk>"


@pytest.mark.parametrize("tokenizer", each(), ids=lambda tokenizer: type(tokenizer).__name__)
def test_the_state_says_all(tokenizer: Tokenizer) -> None:
    trained(tokenizer)
    file = io.BytesIO()
    torch.save(tokenizer.describe(), file)
    file.seek(0)
    restored = restore_tokenizer(torch.load(file, weights_only=True))
    for other in (restored, copy.deepcopy(tokenizer), pickle.loads(pickle.dumps(tokenizer))):
        assert type(other) is type(tokenizer)
        assert other.fingerprint() == tokenizer.fingerprint()
        assert [other.encode(sentence) for sentence in SENTENCES] == [
            tokenizer.encode(sentence) for sentence in SENTENCES
        ]


@pytest.mark.parametrize("tokenizer", each(), ids=lambda tokenizer: type(tokenizer).__name__)
def test_the_fingerprint_tells_other_text_and_other_settings(tokenizer: Tokenizer) -> None:
    other_text = copy.deepcopy(tokenizer)
    trained(tokenizer)
    other_text.train([sentence.upper() for sentence in SENTENCES])
    assert other_text.fingerprint() != tokenizer.fingerprint()


@pytest.mark.parametrize("make", [WhitespaceTokenizer, CharacterTokenizer])
def test_the_order_of_the_text_does_not_matter(make: type[Tokenizer]) -> None:
    forward, backward = make(), make()
    forward.train(SENTENCES)
    backward.train(reversed(SENTENCES))
    assert forward.fingerprint() == backward.fingerprint()


def test_a_space_is_a_character_of_the_restored_vocabulary() -> None:
    tokenizer = CharacterTokenizer()
    tokenizer.train([" \n\t b"])
    assert restore_tokenizer(tokenizer.describe()).encode("b ") == tokenizer.encode("b ")


def test_rare_words_are_unknown_and_frequent_ones_stay() -> None:
    text = ["the cat the dog", "the cat"]
    frequent = WhitespaceTokenizer(min_frequency=2)
    frequent.train(text)
    assert frequent.decode(frequent.encode("the cat dog")) == "the cat <unk>"
    small = WhitespaceTokenizer(max_vocabulary_size=5)
    small.train(text)
    assert small.vocabulary_size == 5
    assert small.decode(small.encode("the cat dog")) == "the <unk> <unk>"


def test_a_sample_of_a_long_text_is_always_the_same() -> None:
    text = [f"{number} {number**2} is a number" for number in range(2000)]
    fingerprints = set()
    for _ in range(2):
        tokenizer = SentencePieceTokenizer(50, max_training_sentences=100)
        tokenizer.train(iter(text))
        fingerprints.add(tokenizer.fingerprint())
    assert len(fingerprints) == 1


@pytest.mark.parametrize("tokenizer", each(), ids=lambda tokenizer: type(tokenizer).__name__)
def test_untrained_is_said(tokenizer: Tokenizer) -> None:
    for use in (lambda: tokenizer.vocabulary_size, lambda: tokenizer.encode("a"), tokenizer.state_dict):
        with pytest.raises(RuntimeError, match="no vocabulary yet"):
            use()


@pytest.mark.parametrize("model_type", ["bpe", "unigram"])
def test_a_vocabulary_larger_than_the_text_allows(model_type: str) -> None:
    tokenizer = SentencePieceTokenizer(50_000, model_type)
    with pytest.raises(
        UserError, match=r"vocabulary_size is 50000, but the training text allows at most \d+: lower it"
    ) as e:
        tokenizer.train(SENTENCES)
    largest = int(str(e.value).split("at most ")[1].split(":")[0])
    fitting = SentencePieceTokenizer(largest, model_type)
    assert trained(fitting).vocabulary_size == largest


def test_a_vocabulary_smaller_than_the_alphabet() -> None:
    with pytest.raises(UserError, match=r"vocabulary_size is 10, but the characters .* are \d+: raise it"):
        trained(SentencePieceTokenizer(10))


@pytest.mark.parametrize("tokenizer", each(), ids=lambda tokenizer: type(tokenizer).__name__)
def test_an_empty_text_is_said(tokenizer: Tokenizer) -> None:
    with pytest.raises(UserError, match="training text is empty"):
        tokenizer.train(["", ""])


def test_settings_out_of_range_are_said() -> None:
    for make, message in (
        (lambda: SentencePieceTokenizer(4), "vocabulary_size is 4"),
        (lambda: SentencePieceTokenizer(100, character_coverage=1.5), "character_coverage is 1.5"),
        (lambda: WhitespaceTokenizer(min_frequency=0), "min_frequency is 0"),
        (lambda: WhitespaceTokenizer(max_vocabulary_size=4), "max_vocabulary_size is 4"),
        (lambda: trained(WhitespaceTokenizer(min_frequency=99)), "min_frequency is 99"),
    ):
        with pytest.raises(UserError, match=message):
            make()


def test_a_damaged_or_foreign_description_is_said() -> None:
    good = trained(SentencePieceTokenizer(60)).describe()
    settings = good["state"]["settings"]
    for description, message in (
        ({}, "needs class_path and state"),
        ({**good, "class_path": "nowhere.Tokenizer"}, "no module 'nowhere'"),
        (
            {**good, "class_path": "datamodules.tokenizers.SentencePieceTokeniser"},
            "did you mean 'SentencePieceTokenizer'",
        ),
        ({**good, "class_path": "pathlib.Path"}, "is no tokenizer"),
        ({**good, "class_path": "datamodules.tokenizers.CharacterTokenizer"}, "cannot be made from its settings"),
        ({**good, "state": {"settings": settings}}, "damaged state"),
        ({**good, "state": {"settings": settings, "trained": {"model": b"nonsense"}}}, "its model cannot be read"),
        ({**good, "state": {"settings": settings, "trained": {"model": b""}}}, "its model cannot be read"),
    ):
        with pytest.raises(UserError, match=message):
            restore_tokenizer(description)
