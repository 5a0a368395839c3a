"""Pieces from files: rests, bad input in one line, tunes that are left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from datamodules.errors import UserError
from datamodules.music.files import AbcFiles, Grids, TuneTable


def written(path: Path, value: object) -> str:
    path.write_text(json.dumps(value))
    return str(path)


def test_a_step_with_fewer_notes_has_rests_where_they_fit_least(tmp_path: Path) -> None:
    steps = [[72, 65, 60, 48], [72, 65, 60, 48], [71, 49], [], [72, None, 60, float("nan")]]
    (piece,) = Grids(written(tmp_path / "a.json", {"train": [steps]}), "train").pieces()
    assert [[(note.pitch, note.duration * 4) for note in voice] for voice in piece.voices] == [
        [(72, 2), (71, 1), (72, 1)],
        [(65, 2)],
        [(60, 2), (60, 1)],
        [(48, 2), (49, 1)],
    ]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"train": [[[60, 55, 50, 45], [128, 55, 50, 45]]]}, "piece 1, step 2: the note 128 is out of range"),
        ({"train": [[[60, 55, 50, 45, 40]]]}, "piece 1, step 1: 5 notes, but there are 4 voices"),
        ({"train": [[[60, 55, 50]]]}, "piece 1: no step has 4 notes"),
        ({"train": [[[60, "c", 50, 40]]]}, "step 1: 'c' is no note"),
        ({"train": [[[60, float("inf"), 50, 40]]]}, "step 1: inf is no note"),
        ({"train": [[[60, 10**400, 50, 40]]]}, "step 1: the note 1000"),
        ({"train": [[[60, True, 50, 40]]]}, "step 1: True is no note"),
        ({"test": [[[60, 55, 50, 45]]]}, "has no part 'train'"),
        ({"train": []}, "is no list of pieces"),
    ],
)
def test_grids_that_are_none(value: object, told: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=told):
        list(Grids(written(tmp_path / "a.json", value), "train").pieces())


def test_brackets_without_end_are_no_json(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match=r"a\.json is no JSON"):
        list(Grids(str(tmp_path / "a.json"), "train").pieces())


def test_tunes_that_cannot_be_read_are_refused_or_left_out(tmp_path: Path) -> None:
    path = tmp_path / "tunes.tsv"
    path.write_text("M:4/4 L:1/4 K:C\tCDEF\nM:4/4 L:1/4 K:C\tC&F\nM:3/4 L:1/4 K:G\tGAB\n")
    with pytest.raises(UserError, match=r"tunes\.tsv, line 2: '&F'"):
        list(TuneTable(str(path)).pieces())
    skipping = TuneTable(str(path), unreadable="skip")
    assert [len(piece.voices[0]) for piece in skipping.pieces()] == [4, 3]
    assert len(skipping.left_out()) == 1


def test_fields_of_a_table_may_have_spaces(tmp_path: Path) -> None:
    path = tmp_path / "tunes.tsv"
    path.write_text("M: 3/4 L:1/4 K:D minor\tB2C\nK: G\tF\n")
    first, second = TuneTable(str(path)).pieces()
    assert [note.pitch for note in first.voices[0]] == [70, 60]
    assert (first.bars[0].key.name, first.bars[0].metre) == ("Dm", 3)
    assert second.voices[0][0].pitch == 66


def test_a_tune_that_is_not_utf_8_is_refused_or_left_out(tmp_path: Path) -> None:
    path = tmp_path / "tunes.abc"
    path.write_bytes("X:1\nK:C\nCDE\n\nX:2\nT:été\nK:C\nCD\n\nX:3\nT:über\nK:C\nC\n".encode("latin-1"))
    path.write_bytes(path.read_bytes().replace("über".encode("latin-1"), "über".encode()))
    with pytest.raises(UserError, match=r"tunes\.abc, tune 2, line 6: not UTF-8 \(byte 0xe9 at position 3\); convert"):
        list(AbcFiles(str(path)).pieces())
    skipping = AbcFiles(str(path), unreadable="skip")
    assert [len(piece.voices[0]) for piece in skipping.pieces()] == [3, 1]
    assert len(skipping.left_out()) == 1
    table = tmp_path / "tunes.tsv"
    table.write_bytes(b"K:C\tCDE\nK:C\tCD %\xe9\nK:C\tC\0\n")
    with pytest.raises(UserError, match=r"tunes\.tsv, line 2: not UTF-8 \(byte 0xe9 at position 9\)"):
        list(TuneTable(str(table)).pieces())
    assert len(TuneTable(str(table), unreadable="skip").left_out()) == 2


def test_the_number_of_a_tune_may_be_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.abc").write_bytes(b"X:\xe9\nK:C\nC\n")
    (told,) = AbcFiles(str(tmp_path / "a.abc"), unreadable="skip").left_out()
    assert "a.abc, tune ?, line 1: not UTF-8 (byte 0xe9 at position 3)" in told
    told.encode()


def test_a_folder_without_tunes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no file that ends in \.abc or \.txt"):
        list(AbcFiles(str(tmp_path)).pieces())
