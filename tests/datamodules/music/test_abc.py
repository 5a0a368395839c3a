"""Tunes in ABC: durations and pitches against the standard, by hand; and written, read and compared."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from datamodules.errors import UserError
from datamodules.music.abc_reading import TuneReader, read_tunes
from datamodules.music.abc_writing import abc_text
from datamodules.music.harmony import Key, chord_name
from datamodules.music.made import made_pieces
from datamodules.music.notes import Note, Piece


def tune(music: str, *fields: str) -> Piece:
    reader = TuneReader("here")
    for each in fields or ("M:4/4", "L:1/4", "K:C"):
        reader.read_line(each, "here")
    reader.read_music(music, "here")
    return reader.piece()


def heard(piece: Piece) -> list[tuple[int, Fraction]]:
    return [(note.pitch, note.duration) for note in piece.voices[0]]


@pytest.mark.parametrize(
    ("music", "expected"),
    [
        ("C c c' C,", [(60, 1), (72, 1), (84, 1), (48, 1)]),
        ("C2 D/ E/2 F3/2 G//", [(60, 2), (62, "1/2"), (64, "1/2"), (65, "3/2"), (67, "1/4")]),
        ("C>D E<F G>>A", [(60, "3/2"), (62, "1/2"), (64, "1/2"), (65, "3/2"), (67, "7/4"), (69, "1/4")]),
        ("(3CDE F (5:4:5CCCCC", [(60, "2/3"), (62, "2/3"), (64, "2/3"), (65, 1), *[(60, "4/5")] * 5]),
        ("^F F | F _B =B", [(66, 1), (66, 1), (65, 1), (70, 1), (71, 1)]),
        ("C2- | C2 D-D", [(60, 4), (62, 2)]),
        ("z C {g}D !trill!E ~F (GA)", [(60, 1), (62, 1), (64, 1), (65, 1), (67, 1), (69, 1)]),
        ("[CEG]2 |: [1 C :| [2 D |]", [(67, 2), (60, 1), (62, 1)]),
        ("[C2E2G2] [C/E/G/]3 [CE2]>D", [(67, 2), (67, "3/2"), (64, "3/2"), (62, "1/2")]),
        ('[!fermata!C.E z] ["Fm"CE]2', [(64, 1), (64, 2)]),
        ("[+CC] [C-G-]2 | [CG] [C-G] | [CG] [CG]- | [CG]", [(60, 1), (67, 3), (67, 1), (67, 1), (67, 2)]),
        ("^F2- | F F | [D^F]- | [DF] F", [(66, 3), (65, 1), (66, 2), (65, 1)]),
        ('"Am"A "^slowly"B % a remark', [(69, 1), (71, 1)]),
    ],
)
def test_notes(music: str, expected: list[tuple[int, int | str]]) -> None:
    assert heard(tune(music)) == [(pitch, Fraction(duration)) for pitch, duration in expected]


@pytest.mark.parametrize("music", ["C" + "9" * 5000, "C/12345", "Z99999", "C" + "/" * 20, "(3:0:3CDE", "(0CDE"])
def test_lengths_that_no_note_has(music: str) -> None:
    with pytest.raises(UserError, match=r"here: '.*' at character \d+ is no ABC"):
        tune(music)


@pytest.mark.parametrize("music", ["[CE|", "[C>E]", "[(3CDE]", "[z]"])
def test_what_is_no_chord(music: str) -> None:
    with pytest.raises(UserError, match=r"here: '.*' (is no|at|has no)"):
        tune(music)


def test_rests_take_their_time() -> None:
    piece = tune("z C z/ D | Z E | Z2 [FA] z2")
    starts = [(note.pitch, note.start) for note in piece.voices[0]]
    assert starts == [(60, 1), (62, Fraction(5, 2)), (64, Fraction(15, 2)), (69, Fraction(33, 2))]
    assert piece.length == Fraction(39, 2)


@pytest.mark.parametrize(
    ("key", "scale"),
    [
        ("G", [60, 62, 64, 66, 67, 69, 71]),
        ("F", [60, 62, 64, 65, 67, 69, 70]),
        ("Am", [60, 62, 64, 65, 67, 69, 71]),
        ("Cm", [60, 62, 63, 65, 67, 68, 70]),
        ("Edor", [61, 62, 64, 66, 67, 69, 71]),
        ("Bb", [60, 62, 63, 65, 67, 69, 70]),
        ("F#", [61, 63, 65, 66, 68, 70, 71]),
    ],
)
def test_signatures(key: str, scale: list[int]) -> None:
    assert [pitch for pitch, _ in heard(tune("C D E F G A B", "L:1/4", f"K:{key}"))] == scale


@pytest.mark.parametrize(
    ("written", "name", "fifths"),
    [
        ("D minor", "Dm", -1),
        (" Dm", "Dm", -1),
        ("A mix", "Amix", 2),
        ("F#minor", "F#m", 3),
        ("F# MINOR", "F#m", 3),
        ("E Dorian", "Edor", 2),
        ("Bb Major", "Bb", -2),
        ("G clef=bass", "G", 1),
        ("D Mixolydian treble-8", "Dmix", 1),
        ("none", "C", 0),
        ("bass", "C", 0),
    ],
)
def test_words_of_keys(written: str, name: str, fifths: int) -> None:
    key = Key.of(written, "here")
    assert (key.name, key.fifths) == (name, fifths)
    assert Key.of(key.name, "here") == key


def test_bars_chords_and_a_change_of_key() -> None:
    piece = tune('e |"G"d2 "D7"B | [K:D] [M:2/4] F "F#m"A || |: "A/e" A2 :|', "M:3/4", "L:1/4", "K:G")
    assert [[chord_name(chord) for chord in bar.chords] for bar in piece.bars] == [[], ["G", "D"], ["F#m"], ["A"]]
    assert [(bar.key.name, bar.metre, bar.end - bar.start) for bar in piece.bars] == [
        ("G", 3, 1),
        ("G", 3, 3),
        ("D", 2, 2),
        ("D", 2, 2),
    ]


def test_what_is_written_is_read_again() -> None:
    made = list(made_pieces(6, random.randrange(1000), bars=3))
    for piece in made:
        (again,) = read_tunes(abc_text(Piece("", piece.voices[:1], piece.length, piece.bars), "made").splitlines(), "x")
        assert isinstance(again, Piece)
        assert again.voices == piece.voices[:1]
        assert [(bar.chords, bar.metre) for bar in again.bars] == [(bar.chords, bar.metre) for bar in piece.bars]


def test_rests_and_what_sounds_over_a_bar_line_are_read_again() -> None:
    quarters = [(60, 1, "1/2"), (61, 3, 3), (84, 7, "5/4"), (47, "17/2", 1)]
    notes = tuple(Note(pitch, Fraction(start), Fraction(duration)) for pitch, start, duration in quarters)
    (again,) = read_tunes(abc_text(Piece("", (notes,), Fraction(10), ()), "rests").splitlines(), "x")
    assert isinstance(again, Piece)
    assert again.voices == (notes,)
    assert again.length == 10


@pytest.mark.parametrize(
    "lines",
    [
        ["X:1", "M:4/4", "L:1/4", "K:C", "V:1", "c2 d2|", "V:2", "C2 E2|", "V:1", "e4|", "V:2", "^C4|"],
        [
            "X:1",
            "M:4/4",
            "L:1/4",
            "V:1 name=top",
            "V:2 clef=bass",
            "K:C",
            "[V:1] c2d2|",
            "[V:2] C2E2|",
            "[V:1]e4|[V:2]^C4",
        ],
        ["X:1", "M:4/4", "L:1/4", "V:1", "V:2", "K:C", "V:2", "C2 E2|^C4", "V:1", "c2 d2|e4|"],
        ["X:1", "V:1", "V:2", "M:4/4", "L:1/4", "K:C", "c2 d2|e4|", "V:2", "K:D", "=C2 E2|C4|"],
    ],
)
def test_voices_sound_together(lines: list[str]) -> None:
    (piece,) = read_tunes(lines, "x")
    assert isinstance(piece, Piece)
    assert [[(note.pitch, note.start) for note in voice] for voice in piece.voices] == [
        [(72, 0), (74, 2), (76, 4)],
        [(60, 0), (64, 2), (61, 4)],
    ]
    assert piece.length == 8
    assert [(bar.start, bar.end) for bar in piece.bars] == [(0, 4), (4, 8)]
    (second,) = read_tunes(lines, "x", voice=2)
    assert isinstance(second, Piece)
    assert second.voices == piece.voices[1:]


def test_chords_above_any_voice_and_voices_that_are_none() -> None:
    lines = ["X:7", "L:1/4", "K:C", "V:a", "cc|cc", "V:b", '"C"E2|"G"D2', "V:c", "z4"]
    (piece,) = read_tunes(lines, "x")
    assert isinstance(piece, Piece)
    assert len(piece.voices) == 2
    assert [[chord_name(chord) for chord in bar.chords] for bar in piece.bars] == [["C"], ["G"]]
    assert [str(next(read_tunes(lines, "x", voice))) for voice in (3, 4)] == [
        "x, tune 7: voice 3 has no notes; name another by voice, or leave the tune out",
        "x, tune 7: voice is 4, but there are 3: give 1 to 3",
    ]
    (shifted,) = read_tunes(["X:1", "K:C", "V:1 octave=-1", "C"], "x")
    assert "line 3: 'octave=-1' is not read" in str(shifted)


def test_changes_of_key_and_metre_are_written() -> None:
    lines = ["X:1", "M:2/4", "L:1/4", "K:Gm", '"Gm"G2|B2|[K:D][M:4/4]"D"F4|f4|[K:Gm]B4|']
    (piece,) = read_tunes(lines, "x")
    assert isinstance(piece, Piece)
    (again,) = read_tunes(abc_text(piece, "").splitlines(), "x")
    assert isinstance(again, Piece)
    assert (again.voices, again.bars) == (piece.voices, piece.bars)


def test_what_sounds_after_the_last_bar_is_written() -> None:
    (piece,) = read_tunes(["X:1", "L:1/4", "M:3/4", "K:C", "V:1", '"C"CDE|', "V:2", "CDE|GGG|G|"], "x")
    assert isinstance(piece, Piece)
    (again,) = read_tunes(abc_text(piece, "").splitlines(), "x")
    assert isinstance(again, Piece)
    assert (again.voices, again.length) == (piece.voices, 7)


def test_all_voices_that_are_written_are_read_again() -> None:
    (made,) = made_pieces(1, 0, bars=3)
    (again,) = read_tunes(abc_text(made, "made").splitlines(), "x")
    assert isinstance(again, Piece)
    assert again.voices == made.voices
    assert [bar.chords for bar in again.bars] == [bar.chords for bar in made.bars]


def test_the_head_of_a_file_counts_for_its_tunes() -> None:
    lines = ["%abc-2.1", "O:Ireland", "M:6/8", "L:1/4", "Tunes of a friend", ""]
    lines += ["X:1", "K:C", "CD", "", "X:2", "L:1/8", "M:2/4", "K:C", "CD"]
    first, second = read_tunes(lines, "tunes.abc")
    assert isinstance(first, Piece)
    assert isinstance(second, Piece)
    assert [note.duration for note in (*first.voices[0], *second.voices[0])] == [1, 1, Fraction(1, 2), Fraction(1, 2)]
    assert (first.bars[0].metre, second.bars[0].metre) == (3, 2)
    wrong = ["M:x", "X:1", "K:C", "CD", "X:2", "M:4/4", "K:C", "CD"]
    assert [str(each)[:26] for each in read_tunes(wrong, "a.abc")] == [
        "a.abc, tune 1, line 1: 'x'",
        "a.abc, tune 2, line 1: 'x'",
    ]


def test_a_change_of_metre_leaves_the_unit_as_it_is() -> None:
    assert heard(tune("C[M:3/4]C [M:4/4][L:1/8]C", "M:2/4", "K:C")) == [(60, Fraction(1, 4))] * 2 + [
        (60, Fraction(1, 2))
    ]


def test_a_line_of_one_note_and_a_repeat_is_no_field() -> None:
    (piece,) = read_tunes(["X:1", "L:1/4", "K:C", "C", "w:la", "+:la", "G:|", "c::", "z:|]"], "x")
    assert isinstance(piece, Piece)
    assert [note.pitch for note in piece.voices[0]] == [60, 67, 72]


def test_tunes_of_a_file_and_the_place_of_an_error() -> None:
    lines = ["X:1", "K:C", "CDE", "", "X:2", "T:bad", "K:C", "CD", "C&E"]
    first, second = read_tunes(lines, "tunes.abc")
    assert isinstance(first, Piece)
    assert len(first.voices[0]) == 3
    assert str(second).startswith("tunes.abc, tune 2, line 9: '&E' at character 2 is no ABC")


@pytest.mark.parametrize(
    ("field", "told"),
    [("K:H", "'H' is no key"), ("K:D ^f", "'D \\^f' is no key"), ("M:4/0", "'4/0' is no metre"), ("L:x", "'x' is")],
)
def test_fields_that_are_none(field: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        TuneReader("here").read_line(field, "here")
