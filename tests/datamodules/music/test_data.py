"""The data module: keys that are drawn by position, splits of own data, kinds of symbols."""

from __future__ import annotations

from pathlib import Path

import pytest

from datamodules.errors import UserError
from datamodules.music.data import MusicDataModule
from datamodules.music.files import AbcFiles, MadePieces
from datamodules.music.tasks.bar_chords import BarChords
from datamodules.music.tasks.harmonisation import Harmonisation
from datamodules.music.tasks.symbols import NoteSymbol
from datamodules.music.tasks.transposition import Transposition
from datamodules.tokenizers.symbols import SymbolTokenizer

TASK = Harmonisation(steps=1, beat=4, segment=None)


def made(transpose: int = 0) -> MusicDataModule:
    return MusicDataModule(MadePieces(12), MadePieces(4, 1), MadePieces(4, 2), TASK, transpose=transpose)


def test_a_pair_is_moved_as_a_whole_and_by_its_place_alone() -> None:
    data = made(transpose=3)
    source, target = data.source_tokenizer, data.target_tokenizer
    assert isinstance(source, SymbolTokenizer)
    assert isinstance(target, SymbolTokenizer)
    change = Transposition(3, source, target, TASK.moved, seed=5)
    corpus = data._corpus("train")
    together, intervals = change(corpus[list(range(12))], 1), set()
    for index in range(12):
        alone = change(corpus[[index]], 1)
        ids = alone.source.values[0].tolist(), alone.target.values[0].tolist()
        assert ids[0] == together.source.values[index].tolist()
        before = data.sources("train")[index].split() + data.references("train")[index].split()
        after = source.decode(ids[0]).split() + target.decode(ids[1]).split()
        moved = {_pitch(b) - _pitch(a) for a, b in zip(before, after, strict=True)}
        assert len(moved) == 1, "all voices by the same interval"
        intervals |= moved
    assert len(intervals) > 1
    assert max(map(abs, intervals)) <= 3


def _pitch(symbol: str) -> int:
    note = NoteSymbol.of(symbol)
    assert note is not None
    assert note.pitch is not None
    return note.pitch


def test_the_vocabulary_has_what_transposing_can_make_within_the_ranges() -> None:
    plain, moved = made(), made(transpose=6)
    assert moved.target_vocabulary_size >= plain.target_vocabulary_size
    tokenizer = moved.target_tokenizer
    assert not any(tokenizer.unknown(text) for text in plain.references("train"))


def test_own_tunes_are_parted_by_their_notes(tmp_path: Path) -> None:
    letters = "CDEFGAB"
    for number in range(40):
        music = "".join(letters[(number // 7**place) % 7] for place in range(4))
        (tmp_path / f"{number}.abc").write_text(f'X:1\nM:4/4\nL:1/4\nK:C\n"C"{music}|"G"GGGG|\n')
    data = MusicDataModule(AbcFiles(str(tmp_path)), task=BarChords(slots=4))
    parts = [list(data.pairs(split)) for split in data.splits]
    assert data.splits == ("train", "val", "test")
    assert sum(map(len, parts)) == 40
    assert all(parts)
    assert not {*parts[0]} & {*parts[1], *parts[2]}
    assert data.symbol_kinds().names == ("chord",)


@pytest.mark.parametrize(("music", "told"), [("CDEF|", "3 pieces .* .0 more"), ("C&D", "0 pieces .* .3 more")])
def test_training_pieces_without_a_pair(music: str, told: str, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.abc").write_text(f"X:1\nK:C\n{music}\n")
    files = AbcFiles(str(tmp_path), unreadable="skip")
    data = MusicDataModule(files, files, files, task=BarChords())
    with pytest.raises(UserError, match=f"no pair for BarChords comes of the {told} cannot be read.: give pieces"):
        data.pairs("train")
    assert not list(data.pairs("val"))


def test_bad_settings() -> None:
    with pytest.raises(UserError, match="transpose is 13: give 0 to 12"):
        made(transpose=13)
    with pytest.raises(UserError, match="no voice is 'sopran'; did you mean 'soprano'"):
        Harmonisation(given=["sopran"])
    with pytest.raises(UserError, match="a voice is one or the other"):
        Harmonisation(written=["soprano", "alto"])
