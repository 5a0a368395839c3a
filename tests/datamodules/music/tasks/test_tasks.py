"""Tasks: the right answer gives the piece again, and each target stands at the place of its source."""

from __future__ import annotations

from fractions import Fraction

import pytest

from datamodules.errors import UserError
from datamodules.music.abc_reading import TuneReader, read_tunes
from datamodules.music.abc_writing import abc_text
from datamodules.music.harmony import chord_name
from datamodules.music.made import made_pieces
from datamodules.music.notes import Note, Piece
from datamodules.music.tasks.bar_chords import BarChords
from datamodules.music.tasks.continuation import Continuation
from datamodules.music.tasks.harmonisation import Harmonisation
from datamodules.music.tasks.symbols import NoteSymbol

VOICES = ("soprano", "alto", "tenor", "bass")


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_right_answer_gives_all_voices(steps: int) -> None:
    task = Harmonisation(steps=steps, segment=None)
    for piece in made_pieces(4, 0, bars=2):
        ((source, target),) = task.pairs(piece)
        melody = Piece("", piece.voices[:1], piece.length)
        question = task.question(melody)
        assert question.source == source
        assert question.length == len(target.split())
        assert task.answer(melody, target.split()).voices == piece.voices


def test_segments_hold_each_step_once_at_its_place() -> None:
    (piece,) = made_pieces(1, 0, bars=3)
    task = Harmonisation(steps=1, beat=2, segment=5)
    pairs = list(task.pairs(piece))
    assert [len(source.split()) for source, _ in pairs] == [5, 5, 2]
    for source, target in pairs:
        for place, symbol in enumerate(target.split()):
            assert symbol.split(":")[0] == ("bass", "tenor", "alto")[place % 3]
        assert [each.rpartition("@")[2] for each in source.split()] == [
            str(at % 2) for at in range(len(source.split()))
        ]
    whole = " ".join(target for _, target in pairs)
    assert whole == next(Harmonisation(steps=1, segment=None).pairs(piece))[1]


def test_a_symbol_of_another_voice_holds_the_note() -> None:
    melody = Piece("", ((Note(60, Fraction(0), Fraction(2)),),), Fraction(2))
    task = Harmonisation(VOICES[:2], VOICES[:1], VOICES[1:2], steps=1)
    written = task.answer(melody, ["alto:55", "soprano:70"])
    assert written.voices[1] == (Note(55, Fraction(0), Fraction(2)),)


def test_a_continuation_goes_on_after_the_piece() -> None:
    (piece,) = made_pieces(1, 0, bars=2)
    task = Continuation(VOICES, steps=1, phrase=4)
    ((source, target),) = task.pairs(piece)
    first = Piece("", tuple(voice[:4] for voice in piece.voices), Fraction(4))
    assert task.question(first).source == source
    assert task.answer(first, target.split()).voices == piece.voices
    with pytest.raises(UserError, match="2 steps, but the model goes on from 4"):
        task.question(Piece("x", tuple(voice[:2] for voice in piece.voices), Fraction(2)))


def tune(music: str, metre: str = "4/4") -> Piece:
    reader = TuneReader("tune")
    for field in (f"M:{metre}", "L:1/4", "K:G"):
        reader.read_line(field, "tune")
    reader.read_music(music, "tune")
    return reader.piece()


def test_each_bar_has_equally_many_symbols_relative_to_the_key() -> None:
    piece = tune('D | "G" G A2 z | B/c/ d G- G | "Am" "D" G4 |]')
    ((source, target),) = BarChords(slots=4).pairs(piece)
    rows = [source.split()[at : at + 5] for at in range(0, 20, 5)]
    assert rows == [
        ["length:4", "r", "r", "r", "7"],
        ["length:4", "0", "2", "2_", "r"],
        ["length:4", "5", "7", "0", "0_"],
        ["length:4", "0", "0_", "0_", "0_"],
    ]
    assert target == "none chord:0 chord:0 chord:2m"
    answered = BarChords(slots=4).answer(piece, target.split())
    assert [[chord_name(chord) for chord in bar.chords] for bar in answered.bars] == [[], ["G"], [], ["Am"]]


def test_no_chord_holds_until_the_next_one() -> None:
    piece = tune('"G"G4 | "N.C."G4 | G4 | "D7"A4 |]')
    task = BarChords(slots=4)
    ((_, target),) = task.pairs(piece)
    assert target == "chord:0 none none chord:7"
    answered = task.answer(piece, target.split())
    assert [[chord_name(chord) for chord in bar.chords] for bar in answered.bars] == [["G"], ["N.C."], [], ["D"]]
    (again,) = read_tunes(abc_text(answered, "").splitlines(), "x")
    assert isinstance(again, Piece)
    assert [bar.chords for bar in again.bars] == [bar.chords for bar in answered.bars]


def test_absolute_chords_move_with_the_melody() -> None:
    task = BarChords(relative=False)
    assert [task.moved(each, 3) for each in ("11_", "r", "length:4", "chord:10m", "none")] == [
        "2_",
        "r",
        "length:4",
        "chord:1m",
        "none",
    ]
    assert NoteSymbol("alto", 127).moved(1) is None


def test_a_wrong_number_of_voices_is_told() -> None:
    (piece,) = made_pieces(1, 0, bars=1)
    with pytest.raises(UserError, match="made piece 1: 4 voices, but 3 are expected"):
        list(Harmonisation(VOICES[:3], written=VOICES[1:3]).pairs(piece))
    with pytest.raises(UserError, match=r"2 voices, but the model is given 1 \(soprano\)"):
        Harmonisation().question(Piece("x", piece.voices[:2], piece.length))
    with pytest.raises(UserError, match="x has no bars"):
        BarChords().question(Piece("x", piece.voices[:1], piece.length))
