"""Sides that are cut differently with one vocabulary, and vocabularies that grow."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datamodules.batch import SPECIAL_PIECES, UNK
from datamodules.corpora.corpus import TextFiles
from datamodules.corpora.vocabularies import Unseen, extend, unseen_symbols
from datamodules.errors import UserError
from datamodules.tokenizers import (
    CharacterTokenizer,
    SentencePieceTokenizer,
    Tokenizer,
    WhitespaceTokenizer,
    restore_tokenizer,
)
from datamodules.tokenizers.symbols import SymbolTokenizer, share_symbols
from datamodules.translation import TranslationDataModule

SOURCES, TARGETS = ["hat", "tea  tee", "at"], ["HH a T", "T ee", "a T"]
TEXTS = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\r")), max_size=4)


def trained(tokenizer: SymbolTokenizer, *sentences: str) -> SymbolTokenizer:
    tokenizer.train(sentences)
    return tokenizer


def restored(tokenizer: Tokenizer, folder: Path) -> Tokenizer:
    """As a checkpoint brings it back."""
    torch.save(tokenizer.describe(), folder / "tokenizer.pt")
    again = restore_tokenizer(torch.load(folder / "tokenizer.pt", weights_only=True))
    assert again.fingerprint() == tokenizer.fingerprint()
    return again


def write(folder: Path, sources: list[str], targets: list[str], name: str = "train") -> TextFiles:
    for end, lines in (("src", sources), ("tgt", targets)):
        (folder / f"{name}.{end}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return TextFiles(str(folder / f"{name}.src"), str(folder / f"{name}.tgt"))


def data_of(
    text: TextFiles, source: Tokenizer, target: Tokenizer | None = None, joint: bool = False, folder: Path | None = None
) -> TranslationDataModule:
    cache = str((folder or Path(text.source).parent) / "cache")
    return TranslationDataModule(
        text, text, source, target_tokenizer=target, cache_directory=cache, joint_vocabulary=joint
    )


def test_characters_and_symbols_have_one_set_of_ids(tmp_path: Path) -> None:
    text = write(tmp_path, SOURCES, TARGETS)
    data = data_of(text, CharacterTokenizer(), WhitespaceTokenizer(), joint=True)
    source, target = data.source_tokenizer, data.target_tokenizer
    assert source is not target
    everything = range(source.vocabulary_size)
    assert source.pieces(everything) == target.pieces(everything)
    assert sorted(source.pieces(everything)) == sorted([*SPECIAL_PIECES, *"hate ", "HH", "T", "ee"])
    for line, cut in zip([*SOURCES, *TARGETS], [*map(list, SOURCES), *(line.split() for line in TARGETS)], strict=True):
        tokenizer = source if line in SOURCES else target
        assert tokenizer.pieces(tokenizer.encode(line)) == cut
        assert tokenizer.decode(tokenizer.encode(line)) == ("".join(cut) if line in SOURCES else " ".join(cut))
    assert source.encode("a") == target.encode("a"), "what a copying head needs"
    assert target.decode(source.encode("at")) == "a t", "an id of the other side is written as it is"
    batch = next(iter(data.val_dataloader()))
    assert not (batch.source.values == UNK).any()
    assert not (batch.target.values == UNK).any()


def test_a_joint_vocabulary_comes_back_from_a_checkpoint(tmp_path: Path) -> None:
    data = data_of(write(tmp_path, SOURCES, TARGETS), CharacterTokenizer(), WhitespaceTokenizer(), joint=True)
    torch.save(data.state_dict(), tmp_path / "state.pt")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    other = data_of(write(elsewhere, ["x"], ["y"]), CharacterTokenizer(), WhitespaceTokenizer(), joint=True)
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    for before, after in (
        (data.source_tokenizer, other.source_tokenizer),
        (data.target_tokenizer, other.target_tokenizer),
    ):
        assert before.fingerprint() == after.fingerprint()
        assert before.encode(" ".join(SOURCES + TARGETS)) == after.encode(" ".join(SOURCES + TARGETS))


def test_without_it_each_side_keeps_its_own_and_the_state_of_before(tmp_path: Path) -> None:
    text = write(tmp_path, SOURCES, TARGETS)
    data = data_of(text, CharacterTokenizer(), WhitespaceTokenizer())
    joint = data_of(text, CharacterTokenizer(), WhitespaceTokenizer(), joint=True)
    assert joint.source_vocabulary_size == joint.target_vocabulary_size == 12
    assert (data.source_vocabulary_size, data.target_vocabulary_size) == (9, 8)
    assert data.source_tokenizer.trained_state() == {"symbols": "tae h"}
    assert data.target_tokenizer.trained_state() == {"symbols": "T a HH ee"}
    one = data_of(text, SentencePieceTokenizer(vocabulary_size=13), joint=True)
    assert one.source_tokenizer is one.target_tokenizer, "which is one vocabulary already"


@pytest.mark.parametrize("position", [0, 1])
def test_pieces_cannot_be_joined(position: int, tmp_path: Path) -> None:
    sides: list[Tokenizer] = [CharacterTokenizer(), CharacterTokenizer()]
    sides[position] = SentencePieceTokenizer()
    with pytest.raises(UserError, match=r"joint_vocabulary is true, but a SentencePieceTokenizer has .* take a White"):
        data_of(write(tmp_path, SOURCES, TARGETS), *sides, joint=True)


@given(TEXTS, TEXTS)
def test_any_shared_vocabulary_comes_back(
    tmp_path_factory: pytest.TempPathFactory, sources: list[str], targets: list[str]
) -> None:
    one, other = trained(CharacterTokenizer(), "x", *sources), trained(WhitespaceTokenizer(), "x", *targets)
    own = one.symbols
    share_symbols(one, other)
    assert one.symbols == other.symbols
    assert one.symbols[: len(own)] == own
    for tokenizer, sentences in ((one, sources), (other, targets)):
        again = restored(tokenizer, tmp_path_factory.mktemp("state"))
        for sentence in sentences:
            assert UNK not in again.encode(sentence)
            assert again.encode(sentence) == tokenizer.encode(sentence)


@pytest.mark.parametrize(
    "state", [{"shared_symbols": "x"}, {"shared_symbols": '["a", "a"]'}, {"shared_symbols": "[1]"}]
)
def test_a_damaged_shared_vocabulary_is_told(state: dict[str, str]) -> None:
    with pytest.raises(UserError, match="damaged state of a CharacterTokenizer"):
        CharacterTokenizer().load_trained_state(state)


def test_what_a_vocabulary_lacks_is_told_with_its_lines(tmp_path: Path) -> None:
    """Pairs that are skipped do not count, their lines do."""
    data = data_of(write(tmp_path, ["ab", "b a"], ["X Y", "Y"]), CharacterTokenizer(), WhitespaceTokenizer())
    state = data.state_dict()
    folder = tmp_path / "new"
    folder.mkdir()
    text = write(folder, ["ab", "žq", "aŠž", "žž"], ["X", "", "Z X", "Z Q"])
    other = data_of(text, CharacterTokenizer(), WhitespaceTokenizer())
    other.load_state_dict(state)
    assert other.unseen("train") == {
        "source": [Unseen("Š", 1, 3), Unseen("ž", 3, 3)],
        "target": [Unseen("Z", 2, 3), Unseen("Q", 1, 4)],
    }
    assert other.named("train", "target") == (text.target, "line")

    before = {side: getattr(other, f"{side}_tokenizer").pieces(range(6)) for side in ("source", "target")}
    assert other.extend_vocabulary()["source"] == [Unseen("Š", 1, 3), Unseen("ž", 3, 3)]
    assert other.source_tokenizer.pieces(range(9))[7:] == ["ž", "Š"], "the most frequent first"
    assert other.target_tokenizer.pieces(range(8))[6:] == ["Z", "Q"]
    assert before == {side: getattr(other, f"{side}_tokenizer").pieces(range(6)) for side in before}
    assert other.unseen("train") == {"source": [], "target": []}
    assert other.source_vocabulary_size == 9
    batch = next(iter(other.train_dataloader()))
    assert not (batch.source.values == UNK).any()


@pytest.mark.parametrize("kind", ["one", "joint", "separate"])
def test_a_joint_vocabulary_stays_joint(kind: str) -> None:
    source = trained(CharacterTokenizer(), "abc")
    target: SymbolTokenizer = source if kind == "one" else trained(WhitespaceTokenizer(), "a bc")
    if kind == "joint":
        share_symbols(source, target)
    before = source.symbols, target.symbols
    unseen = {
        "source": unseen_symbols(source, [(1, "xa"), (2, "xy")]),
        "target": unseen_symbols(target, [(1, "y"), (2, "z")]),
    }
    told = extend(source, target, unseen)
    assert [each.symbol for each in told["source"]] == ["x", "y"]
    assert [each.symbol for each in told["target"]] == ["y", "z"]
    assert source.symbols[: len(before[0])] == before[0]
    assert target.symbols[: len(before[1])] == before[1]
    assert (source.symbols == target.symbols) == (kind != "separate")
    assert (source.symbols[-3:] == ["x", "y", "z"]) == (kind != "separate")


def test_min_frequency_holds_for_new_symbols_and_the_largest_size_does_not() -> None:
    tokenizer = trained(WhitespaceTokenizer(min_frequency=2, max_vocabulary_size=5), "a a b b a")
    assert tokenizer.symbols == ["a"]
    told = extend(tokenizer, tokenizer, {"source": [Unseen("c", 1, 1), Unseen("d", 2, 1)], "target": []})
    assert tokenizer.symbols == ["a", "d"]
    assert told == {"source": [Unseen("d", 2, 1)], "target": []}


def test_pieces_are_named_but_not_added() -> None:
    tokenizer = SentencePieceTokenizer(vocabulary_size=12)
    tokenizer.train(["abc abd", "bad cab"])
    assert unseen_symbols(tokenizer, [(4, "bad"), (7, "a Šžb"), (9, "ž")]) == [Unseen("Š", 1, 7), Unseen("ž", 2, 7)]
    with pytest.raises(UserError, match="--extend_vocabulary adds symbols, but a SentencePieceTokenizer has"):
        extend(tokenizer, tokenizer, {"source": [], "target": []})
