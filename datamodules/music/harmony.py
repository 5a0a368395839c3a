"""Keys and chords, as they are written above a tune."""

from __future__ import annotations

import re
from dataclasses import dataclass

from datamodules.errors import UserError

OCTAVE = 12
"""Semitones."""

NATURAL = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
"""The pitch class of each letter, in semitones above C."""

NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
"""What a pitch class is called where nothing else tells."""

_MAJOR_SCALE = (0, 2, 4, 5, 7, 9, 11)
"""Semitones of a major scale above its tonic; with a signature of n sharps that is n fifths above C."""

_SHARPS = "FCGDAEB"
"""The letters in the order in which signatures raise them, and from the end lower them."""

_FIFTHS = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}
"""Sharps of the major key of each letter; flats are below 0."""

_MODES = {"maj": 0, "ion": 0, "mix": -1, "dor": -2, "min": -3, "aeo": -3, "phr": -4, "lyd": 1, "loc": -5}
"""Sharps that a mode has beyond those of the major key of its tonic."""

_KEY = re.compile(r"([A-G])([#b]?)\s*([A-Za-z]*)")
_CLEF = re.compile(
    r"(clef=)?(treble|bass|alto|tenor|perc|none)[1-5]?([+-]8)?|(clef|stafflines|middle|m|transpose|t)=\S*",
    re.IGNORECASE,
)
"""What says how the notes are printed, behind a key or in its place (section 4.6 of the standard of ABC)."""
_CHORD = re.compile(r"([A-G])([#b♯♭]?)(.*)")

_QUALITY = re.compile(
    r"""
    (?: (?P<minor> minor | min | mi | m | - | dim | d | [°oøØ] )
      | major | Major | maj | Maj | ma | Ma | M | Δ | aug | a | dom )?
    (?: \(? (?: (?: major | maj | Maj | ma | Ma | M | Δ | add | sus | no | omit | [#b+♯♭-] )?
              (?: 1[13] | 6/9 | 69 | [2-79] )
            | sus | alt | aug | \+ ) ,? \)? )*
    (?: / [A-Ga-g] [#b♯♭+-]? )?
    """,
    re.VERBOSE,
)
"""What may follow the root of a chord: its third, what is added, the note in the bass.

``d`` and ``a`` are diminished and augmented in the Nottingham tunes, which have a sharp bass as ``f+``.
"""

_WORDS = re.compile(r"[A-Za-z.,:;!?'-]*|.*\s.*")
"""What follows the letter of a root in words: ``Fine``, ``D.C.``, ``A part``."""

_SILENCE = re.compile(r"N\.?\s*C\.?|no chord", re.IGNORECASE)

SILENCE = "N.C."
"""What stands above notes that no chord goes with."""


@dataclass(frozen=True)
class Key:
    """A key: its tonic and its signature.

    Attributes:
        tonic: Pitch class, in semitones above C.
        fifths: Sharps of the signature; flats are below 0.
        name: As ABC writes it, ``Am`` or ``Edor``, whatever the words that it was read from.
    """

    tonic: int
    fifths: int
    name: str

    @classmethod
    def of(cls, text: str, place: str) -> Key:
        """Reads a key as ABC writes it: ``G``, ``Am``, ``E dorian``, ``Bb``; ``none`` and nothing are C.

        Args:
            text: What follows ``K:``.
            place: Where it stands, for the error.

        Raises:
            UserError: It is no key, or has accidentals of its own.
        """
        written = " ".join(word for word in text.split() if not _CLEF.fullmatch(word))
        if not written:
            return C_MAJOR
        found = _KEY.fullmatch(written)
        word = found[3].lower() if found else ""
        mode = "min" if word == "m" else word[:3] or "maj"
        if found is None or mode not in _MODES:
            raise UserError(f"{place}: '{text.strip()}' is no key that seqlab reads; write it as G, Am, Bb or Edor")
        shift = {"#": 1, "b": -1, "": 0}[found[2]]
        tonic = (NATURAL[found[1]] + shift) % OCTAVE
        name = found[1] + found[2] + {"maj": "", "min": "m"}.get(mode, mode)
        return cls(tonic, _FIFTHS[found[1]] + 7 * shift + _MODES[mode], name)

    @property
    def is_minor(self) -> bool:
        """Whether its third is minor: of minor, Dorian, Phrygian and Locrian keys."""
        return (self.tonic + 3 - 7 * self.fifths) % OCTAVE in _MAJOR_SCALE

    def signature(self, letter: str) -> int:
        """By how many semitones the signature changes the notes of a letter: 1, 0 or -1; beyond seven sharps, 2."""
        raised = _SHARPS.index(letter)
        if self.fifths >= 0:
            return (self.fifths - raised + 6) // 7
        return -((-self.fifths - (6 - raised) + 6) // 7)


C_MAJOR = Key(0, 0, "C")
"""The key of what has no signature."""


@dataclass(frozen=True)
class Chord:
    """A chord: its root, and whether it is minor. Sevenths, inversions and the like are not kept.

    Attributes:
        root: Pitch class, in semitones above C, or above another note.
        is_minor: Whether it has a minor third, as diminished chords have. Chords without a third, G5, Gsus4, are not.
    """

    root: int
    is_minor: bool

    @classmethod
    def of(cls, text: str, place: str) -> Chord | None:
        """Reads a chord symbol, ``F#m7`` or ``G/b``; None for words above the notes.

        Args:
            text: What stands between quotes in ABC.
            place: Where it stands, for the error.

        Raises:
            UserError: It begins as a chord, but its quality is none that is known.
        """
        symbol = text.strip()
        symbol = symbol[1:-1] if symbol[:1] == "(" and symbol[-1:] == ")" else symbol
        found = _CHORD.fullmatch(symbol)
        if found is None:
            return None
        quality = _QUALITY.fullmatch("".join(found[3].split()))
        if quality is None:
            if _WORDS.fullmatch(found[3]):
                return None
            raise UserError(
                f"{place}: '{symbol}' is no chord that seqlab reads; write it as Am7, Gsus4, D/F# or N.C., or as "
                f'"^{symbol}" where it is no chord'
            )
        shift = {"#": 1, "♯": 1, "b": -1, "♭": -1, "": 0}[found[2]]
        return cls((NATURAL[found[1]] + shift) % OCTAVE, quality["minor"] is not None)

    def moved(self, semitones: int) -> Chord:
        """The same chord elsewhere."""
        return Chord((self.root + semitones) % OCTAVE, self.is_minor)

    @property
    def name(self) -> str:
        """As it is written above a tune: ``F#m``."""
        return NAMES[self.root] + "m" * self.is_minor

    @property
    def pitch_classes(self) -> frozenset[int]:
        """Root, third and fifth."""
        return frozenset((self.root + step) % OCTAVE for step in (0, 3 if self.is_minor else 4, 7))


def is_silence(text: str) -> bool:
    """Whether text above the notes says that no chord goes with them: ``N.C.``."""
    return _SILENCE.fullmatch(text.strip().strip("()")) is not None


def chord_name(chord: Chord | None) -> str:
    """A chord as it is written above a tune, or that there is none."""
    return SILENCE if chord is None else chord.name
