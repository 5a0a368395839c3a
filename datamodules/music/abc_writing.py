"""A piece in ABC notation, one ``V:`` for each voice."""

from __future__ import annotations

from fractions import Fraction

from datamodules.music.harmony import C_MAJOR, Key, chord_name
from datamodules.music.notes import Bar, Note, Piece

_UNIT = Fraction(1, 2)
"""Of a length in ABC, in quarter notes: ``L:1/8``."""

_SHARP_NAMES = ("C", "^C", "D", "^D", "E", "F", "^F", "G", "^G", "A", "^A", "B")
_FLAT_NAMES = ("C", "_D", "D", "_E", "E", "F", "_G", "G", "_A", "A", "_B", "B")


def abc_text(piece: Piece, title: str) -> str:
    """A piece as an ABC file: with its bars and chords where it has them, else in bars of four quarter notes.

    Args:
        piece: Any piece. Notes that go on over a bar line are tied.
        title: What stands in the field ``T:``.
    """
    key = piece.bars[0].key if piece.bars else C_MAJOR
    metre = piece.bars[0].metre if piece.bars else Fraction(4)
    lines = ["X:1", f"T:{title}", f"M:{_metre(metre)}", "L:1/8"]
    lines.append(f"K:{key.name}")
    for number, voice in enumerate(piece.voices, start=1):
        if len(piece.voices) > 1:
            lines.append(f"V:{number}{' clef=bass' if _lies_low(voice) else ''}")
        lines.append(_music(piece, voice, with_chords=number == 1))
    return "\n".join(lines) + "\n"


def _metre(quarters: Fraction) -> str:
    """In quarter notes where these are an even number, else in eighth notes; whether three quarters are 6/8 is lost."""
    if quarters % 2 == 0:
        return f"{quarters}/4"
    return f"{quarters * 2}/8" if (quarters * 2).denominator == 1 else "none"


def _lies_low(voice: tuple[Note, ...]) -> bool:
    return bool(voice) and sum(note.pitch for note in voice) < 60 * len(voice)


def _music(piece: Piece, voice: tuple[Note, ...], with_chords: bool) -> str:
    """The bars of one voice. Each note has its accidental, so that none depends on one before it."""
    written = []
    bars = _bars(piece)
    for before, bar in zip([*bars[:1], *bars], bars, strict=False):
        start, end = bar.start, bar.end
        words, position = [], start
        for note in voice:
            if note.end <= start or note.start >= end:
                continue
            begins, ends = max(note.start, start), min(note.end, end)
            if begins > position:
                words.append(f"z{_length(begins - position)}")
            words.append(f"{_pitch(note.pitch, bar.key)}{_length(ends - begins)}{'-' if ends < note.end else ''}")
            position = ends
        if position < end:
            words.append(f"z{_length(end - position)}")
        names = "".join(f'"{chord_name(chord)}"' for chord in bar.chords) if with_chords else ""
        written.append(_changes(before, bar) + names + " ".join(words))
    return " | ".join(written) + " |]"


def _bars(piece: Piece) -> list[Bar]:
    """The bars of a piece, and more of the last one's metre up to its end; of four quarter notes where it has none."""
    bars = list(piece.bars)
    last = bars[-1] if bars else Bar(Fraction(0), Fraction(0), Fraction(4), C_MAJOR)
    while last.end < piece.length:
        last = Bar(last.end, min(last.end + last.metre, piece.length), last.metre, last.key)
        bars.append(last)
    return bars


def _changes(before: Bar, bar: Bar) -> str:
    """The fields of what has changed since the bar before."""
    fields = {"K": (before.key.name, bar.key.name), "M": (_metre(before.metre), _metre(bar.metre))}
    return "".join(f"[{letter}:{now}]" for letter, (was, now) in fields.items() if was != now)


def _pitch(pitch: int, key: Key) -> str:
    octave, step = divmod(pitch - 60, 12)
    name = (_FLAT_NAMES if key.fifths < 0 else _SHARP_NAMES)[step]
    letter = name[-1].lower() if octave >= 1 else name[-1]
    marks = "'" * (octave - 1) if octave >= 1 else "," * -octave
    return f"{name[:-1] or '='}{letter}{marks}"


def _length(quarters: Fraction) -> str:
    length = quarters / _UNIT
    return "" if length == 1 else str(length)
