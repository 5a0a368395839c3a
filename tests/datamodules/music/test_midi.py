"""MIDI files: written, read and compared; and what is none."""

from __future__ import annotations

import io
from collections import defaultdict
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from datamodules.errors import UserError
from datamodules.music.abc_reading import read_tunes
from datamodules.music.files import MidiFiles
from datamodules.music.made import made_pieces
from datamodules.music.midi import TICKS, read_midi, write_midi
from datamodules.music.notes import Note, Piece

mido = pytest.importorskip("mido")


def save(path: Path, piece: Piece) -> Path:
    with path.open("wb") as file:
        write_midi(piece, file)
    return path


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    for piece in made_pieces(3, 0, bars=2):
        without_chords = Piece(piece.place, piece.voices, piece.length)
        again = read_midi(save(tmp_path / "a.mid", without_chords), steps=4)
        assert sorted(again.voices, key=str) == sorted(piece.voices, key=str)
        means = [sum(note.pitch for note in voice) for voice in again.voices]
        assert means == sorted(means, reverse=True), "the highest voice first"
        assert again.length == piece.length


def test_chords_are_played_below_the_tune(tmp_path: Path) -> None:
    (piece,) = made_pieces(1, 0, bars=2)
    tune = Piece("", piece.voices[:1], piece.length, piece.bars)
    midi = mido.MidiFile(save(tmp_path / "a.mid", tune))
    struck = [message.note % 12 for message in midi.tracks[2] if message.type == "note_on"]
    (first,) = piece.bars[0].chords
    assert first is not None
    assert set(struck[:3]) == first.pitch_classes


def test_where_there_is_no_chord_none_is_played(tmp_path: Path) -> None:
    (piece,) = made_pieces(1, 0, bars=3)
    first, second, third = piece.bars
    bars = (first, replace(second, chords=(None,)), third)
    midi = mido.MidiFile(save(tmp_path / "a.mid", Piece("", piece.voices[:1], piece.length, bars)))
    moment, struck = 0, []
    for message in midi.tracks[2]:
        moment += message.time
        struck += [moment // TICKS] * (message.type == "note_on")
    assert struck == [0] * 3 + [8] * 3


def test_a_bar_without_a_symbol_has_the_last_chord_of_the_bars_before(tmp_path: Path) -> None:
    tune = ["X:1", "M:2/4", "L:1/4", "K:C", '"C"C"G"D|GG|"G"GG|"C"cc|']
    (piece,) = read_tunes(tune, "x")
    assert isinstance(piece, Piece)
    moment, struck = 0, defaultdict(set)
    for message in mido.MidiFile(save(tmp_path / "a.mid", piece)).tracks[2]:
        moment += message.time
        if message.type == "note_on":
            struck[moment // TICKS].add(message.note % 12)
    c_major, g_major = {0, 4, 7}, {7, 11, 2}
    assert struck == {0: c_major, 2: g_major, 4: g_major, 6: c_major}


def test_a_note_that_is_never_let_go_sounds_until_its_track_ends(tmp_path: Path) -> None:
    notes = [mido.Message("note_on", note=60), mido.Message("note_on", note=60, velocity=0, time=TICKS)]
    last = [mido.Message("note_on", note=62), mido.MetaMessage("end_of_track", time=2 * TICKS)]
    file = mido.MidiFile(ticks_per_beat=TICKS, tracks=[mido.MidiTrack([*notes, *last])])
    file.save(tmp_path / "a.mid")
    (voice,) = read_midi(tmp_path / "a.mid", steps=4).voices
    assert voice == (Note(60, Fraction(0), Fraction(1)), Note(62, Fraction(1), Fraction(2)))


def test_notes_are_rounded_to_the_grid_or_refused(tmp_path: Path) -> None:
    nearly = [Note(60 + at, Fraction(at) + Fraction(1, 40), Fraction(1)) for at in range(8)]
    path = save(tmp_path / "a.mid", Piece("", (tuple(nearly),), Fraction(9)))
    assert [note.start for note in read_midi(path, steps=4).voices[0]] == list(range(8))
    triplets = [Note(60, Fraction(at, 3), Fraction(1, 3)) for at in range(9)]
    path = save(tmp_path / "b.mid", Piece("", (tuple(triplets),), Fraction(3)))
    with pytest.raises(UserError, match=r"b\.mid: 6 of 9 notes are not on a grid of 4 steps"):
        read_midi(path, steps=4)
    assert len(read_midi(path, steps=12).voices[0]) == 9


def test_what_is_no_music(tmp_path: Path) -> None:
    path = save(tmp_path / "empty.mid", Piece("", (), Fraction(1)))
    with pytest.raises(UserError, match=r"empty\.mid has no notes"):
        read_midi(path, steps=4)
    good = save(tmp_path / "good.mid", next(made_pieces(1, 0, bars=1)))
    signed = mido.MidiFile(good)
    signed.tracks[0].insert(0, mido.MetaMessage("key_signature", key="Am"))
    signed.save(tmp_path / "signed.mid")
    assert len(read_midi(tmp_path / "signed.mid", steps=4).voices) == 5
    wrong = (tmp_path / "signed.mid").read_bytes().replace(b"\xff\x59\x02\x00\x01", b"\xff\x59\x02\x00\x09")
    (tmp_path / "signed.mid").write_bytes(wrong)
    with pytest.raises(UserError, match=r"signed\.mid cannot be read as MIDI: Could not decode key .*; export it anew"):
        read_midi(tmp_path / "signed.mid", steps=4)
    with pytest.raises(UserError, match=r"empty\.mid has no notes"):
        list(MidiFiles(str(tmp_path)).pieces())
    skipping = MidiFiles(str(tmp_path), unreadable="skip")
    assert [piece.place for piece in skipping.pieces()] == [str(good)]
    assert [told.split()[0] for told in skipping.left_out()] == [str(path), str(tmp_path / "signed.mid")]
    (tmp_path / "text.mid").write_text("no MIDI")
    with pytest.raises(UserError, match=r"text\.mid cannot be read as MIDI"):
        read_midi(tmp_path / "text.mid", steps=4)
    (tmp_path / "cut.mid").write_bytes(io.BytesIO(path.read_bytes()).read(20))
    with pytest.raises(UserError, match=r"cut\.mid cannot be read as MIDI"):
        read_midi(tmp_path / "cut.mid", steps=4)
