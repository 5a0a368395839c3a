"""Symbols that a vocabulary lacks of a source: their ids, in a corpus and for one sentence, and what they mean."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodules.batch import BOS, EOS, PAD, SPECIAL_PIECES, UNK
from datamodules.corpora.corpus import TextFiles
from datamodules.corpora.spelling import spellings
from datamodules.errors import UserError
from datamodules.tokenizers import CharacterTokenizer, SentencePieceTokenizer, Tokenizer, WhitespaceTokenizer
from datamodules.tokenizers.symbols import SymbolTokenizer
from datamodules.translation import TranslationDataModule

KNOWN = len(SPECIAL_PIECES) + 2  # a and b


def trained(tokenizer: SymbolTokenizer, *sentences: str) -> SymbolTokenizer:
    tokenizer.train(sentences)
    return tokenizer


def data_of(folder: Path, copy_unknown: bool = True, **options: Tokenizer | bool | None) -> TranslationDataModule:
    """Sentences of a and b, in which other words come once, but for the validation."""
    texts = {}
    for name, sources, targets in (
        ("train", ["a X b", "a a a", "Y X Y b b"], ["b X a Z", "b Y", "Y a X b Y"]),
        ("val", ["V W V", "a X"], ["W a V", "b Q"]),
    ):
        for end, lines in (("src", sources), ("tgt", targets)):
            (folder / f"{name}.{end}").write_text("".join(f"{line}\n" for line in lines))
        texts[name] = TextFiles(str(folder / f"{name}.src"), str(folder / f"{name}.tgt"))
    given_options = {"tokenizer": WhitespaceTokenizer(max_vocabulary_size=KNOWN), **options}
    return TranslationDataModule(
        **texts,
        cache_directory=str(folder / "cache"),
        copy_unknown=copy_unknown,
        **given_options,
    )


def test_ids_of_a_corpus_are_numbered_for_each_source(tmp_path: Path) -> None:
    """A symbol of the target has that of its source, else it is unknown; a pair with a known source is as ever."""
    data = data_of(tmp_path)
    batch = data._corpus("val")[[0, 1]]
    assert data.source_vocabulary_size == KNOWN
    a, b = data.source_tokenizer.encode("a b")
    assert sorted((a, b)) == [KNOWN - 2, KNOWN - 1]
    assert batch.source.values.tolist() == [[KNOWN, KNOWN + 1, KNOWN, EOS], [a, KNOWN, EOS, PAD]]
    assert batch.target.values.tolist() == [[BOS, KNOWN + 1, a, KNOWN, EOS], [BOS, b, UNK, EOS, PAD]]
    corpus = data._corpus("train")
    batch = corpus[[0, 1, 2]]
    assert batch.source.values.tolist()[::2] == [[a, KNOWN, b, EOS, PAD, PAD], [KNOWN, KNOWN + 1, KNOWN, b, b, EOS]]
    assert batch.target.values.tolist()[:2] == [[BOS, b, KNOWN, a, UNK, EOS, PAD], [BOS, b, UNK, EOS, PAD, PAD, PAD]]
    assert batch.target.values.tolist()[2] == [BOS, KNOWN, a, KNOWN + 1, b, KNOWN, EOS]
    for index, source in enumerate(data.sources("train")):
        of_source, of_target = data.spellings(source)
        assert of_source.decode(batch.source.values[index].tolist()) == source
        written = of_target.decode(batch.target.values[index].tolist())
        assert written == [data.references("train")[0].replace("Z", "<unk>"), "b <unk>", "Y a X b Y"][index]


def test_what_is_told_of_unknown_symbols_stays(tmp_path: Path) -> None:
    on, off = data_of(tmp_path), data_of(tmp_path, copy_unknown=False)
    assert on.unseen("train") == off.unseen("train")
    assert on.unseen("val") == off.unseen("val")
    for split in ("train", "val"):
        ours, theirs = on._corpus(split), off._corpus(split)
        assert ours.summary.source_unknown == theirs.summary.source_unknown > 0
        assert ours.summary.target_unknown == theirs.summary.target_unknown > 0
        assert ours.directory != theirs.directory
        plain = theirs[[0, 1]].source.values
        assert plain.max() < KNOWN
        assert (ours[[0, 1]].source.values.masked_fill(plain == UNK, UNK) == plain).all()
    assert off.spellings("V W") == (off.source_tokenizer, off.target_tokenizer)


def test_words_and_characters_of_one_vocabulary(tmp_path: Path) -> None:
    """The source's symbols are those of its own tokenizer."""
    options = {"tokenizer": CharacterTokenizer(), "target_tokenizer": WhitespaceTokenizer(), "joint_vocabulary": True}
    of_source, of_target = data_of(tmp_path, **options).spellings("aäöä")
    assert of_source.encode("äöa") == [
        of_source.vocabulary_size - 2,
        of_source.vocabulary_size - 1,
        *of_source.encode("a"),
    ]
    assert of_target.encode("ö ü") == [of_target.vocabulary_size - 1, UNK]
    assert of_target.pieces([*of_target.encode("ö a"), EOS]) == ["ö", "a", "</s>"]


@given(st.text("abxyz "), st.text("abxyz "))
def test_a_sentence_of_a_sources_symbols_is_written_back(source: str, target: str) -> None:
    tokenizer = trained(CharacterTokenizer(), "ab")
    of_source, of_target = spellings(tokenizer, tokenizer, source)
    assert of_source.decode(of_source.encode(source)) == source
    missing = {*target} - {*source, "a", "b"}
    assert of_target.encode(target).count(UNK) == sum(target.count(symbol) for symbol in missing)
    if not missing:
        assert of_target.decode([BOS, *of_target.encode(target), EOS]) == target
    assert max(of_source.encode(source), default=0) < of_source.vocabulary_size


def test_the_setting_is_in_the_state_and_a_vocabulary_that_grows_has_fewer_of_them(tmp_path: Path) -> None:
    data = data_of(tmp_path)
    assert data.state_dict()["copy_unknown"] is True
    data.extend_vocabulary()
    assert data._corpus("train")[[0, 1, 2]].source.values.max() < data.source_vocabulary_size
    (batch,) = list(data.val_dataloader())
    assert batch.source.values.max() == data.source_vocabulary_size + 1


def test_what_has_no_symbols_or_two_vocabularies_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="copy_unknown is true, but a SentencePieceTokenizer has the pieces alone"):
        data_of(tmp_path, tokenizer=SentencePieceTokenizer(20))
    with pytest.raises(UserError, match="copy_unknown is true, but source and target have a vocabulary each: leave"):
        data_of(tmp_path, target_tokenizer=WhitespaceTokenizer())
    apart = data_of(tmp_path, copy_unknown=False, target_tokenizer=WhitespaceTokenizer()).state_dict()
    data = data_of(tmp_path)
    data.load_state_dict(apart)  # as --ckpt_path and --init_from bring it
    with pytest.raises(UserError, match="copy_unknown is true, but source and target have a vocabulary each: leave"):
        data.val_dataloader()
