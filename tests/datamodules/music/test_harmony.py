"""Chord symbols: what is a chord, what is words, and what is refused."""

from __future__ import annotations

import pytest

from datamodules.errors import UserError
from datamodules.music.harmony import Chord, is_silence


@pytest.mark.parametrize(
    ("name", "symbols"),
    [
        (
            "G",
            "G G7 Gmaj7 Gma7 GMaj7 GM7 G6 G6/9 G69 G9 G13 Gsus4 Gsus2 G7sus Gadd9 G+ Gaug G7#5 G7(b9) G5 G/B G7/f+ (G)",
        ),
        ("Am", "Am Am7 Amin Ami7 Aminor A- A-7 Am(maj7) AmM7 Amadd9 Am7b5 Adim Adim7 A° Aø7 Ao7 Ad Am/C Am7/G"),
        ("F#m", "F#m F♯m7"),
        ("Eb", "Eb D#7 E♭maj7 Ebsus"),
    ],
)
def test_qualities(name: str, symbols: str) -> None:
    for symbol in symbols.split():
        chord = Chord.of(symbol, "x")
        assert chord is not None
        assert (symbol, chord.name) == (symbol, name)


def test_spaces_within_a_symbol() -> None:
    assert Chord.of(" D m ", "x") == Chord.of("Dm", "x") == Chord(2, True)


@pytest.mark.parametrize("text", ["Fine", "D.C.", "D.C. al Fine", "Coda", "Allegro", "A part", "E (2nd time)", "", "("])
def test_words_are_no_chords(text: str) -> None:
    assert Chord.of(text, "x") is None
    assert not is_silence(text)


@pytest.mark.parametrize("text", ["N.C.", "NC", "n.c.", "(N.C.)", "no chord"])
def test_no_chord(text: str) -> None:
    assert Chord.of(text, "x") is None
    assert is_silence(text)


@pytest.mark.parametrize("symbol", ["Am7xyz", "G7/b6", "A1", "D~", "C/E/G"])
def test_a_quality_that_is_not_known_is_refused(symbol: str) -> None:
    with pytest.raises(UserError, match=r"tune 1, line 4: '.*' is no chord that seqlab reads; write it as Am7"):
        Chord.of(symbol, "tune 1, line 4")
