"""One voice of a tune in ABC: what its notes, bar lines and fields are in time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache

from datamodules.errors import UserError
from datamodules.music.harmony import C_MAJOR, NATURAL, OCTAVE, Chord, Key, is_silence
from datamodules.music.notes import Bar, Note, check_pitch

_LENGTH = r"(?P<{0}times>\d{{0,4}})(?P<{0}slashes>/{{0,8}})(?P<{0}over>\d{{0,4}})"
_PITCH = r"(?P<accidental>\^\^?|__?|=)?(?P<letter>[A-Ga-g])(?P<octave>[,']*)"

_TOKEN = re.compile(
    "|".join(
        (
            r"(?P<space>[\s\\`y$]+|%.*)",
            r'"(?P<above>[^"]*)"',
            r"\[(?P<field>[A-Za-z]):(?P<value>[^\]]*)\]",
            r"(?P<grace>\{[^}]*\}|![^!]*!|[.~HLMOPSTuv]+)",
            r"(?P<bar>\[\||:*\|[|\]:]*|::+)(?P<ending>\d[\d,.-]*)?",
            r"(?P<volta>\[\d[\d,.-]*)",
            r"\((?P<tuplet>[1-9])(?::(?P<in_time_of>[1-9]?))?(?::(?P<count>\d?))?",
            r"(?P<slur>[()])",
            r"(?P<tie>-)",
            r"(?P<broken>>+|<+)",
            _PITCH + _LENGTH.format(""),
            r"\[(?P<stack>[^\]|:]+)\]" + _LENGTH.format("stack_"),
            r"[zx]" + _LENGTH.format("rest_"),
            r"Z(?P<bars_of_rest>\d{0,4})",
        )
    )
)
"""What a line of music consists of; the names tell what was found."""

_TUPLETS = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}
"""In the time of how many notes so many are played; of others it depends on the metre (section 4.13)."""

_SEMITONES = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}


@dataclass(frozen=True)
class Signature:
    """What fields say of the notes that follow.

    Attributes:
        key: ``K:``.
        metre: ``M:``, how long a whole bar is, in quarter notes.
        unit: ``L:``, how long a note without a length is, in quarter notes; None where it follows from the metre.
    """

    key: Key = C_MAJOR
    metre: Fraction = Fraction(4)
    unit: Fraction | None = None

    def with_field(self, letter: str, text: str, place: str) -> Signature:
        """The signature after a field: key, metre or unit; others do not matter.

        Raises:
            UserError: Its value is none.
        """
        if letter == "K":
            return replace(self, key=Key.of(text, place))
        if letter == "M":
            free = {"C": Fraction(4), "C|": Fraction(4), "none": Fraction(4)}
            return replace(self, metre=free.get(text) or 4 * _ratio(text, place))
        if letter == "L":
            return replace(self, unit=4 * _ratio(text, place))
        return self


@dataclass
class _OpenBar:
    """A bar that is being read: its accidentals hold until its end."""

    accidentals: dict[tuple[str, int], int] = field(default_factory=dict)
    chords: list[Chord | None] = field(default_factory=list)


class VoiceReader:
    """Reads one voice, a token after the other. Repeats are not played twice.

    Args:
        signature: What the head of the tune says.

    Attributes:
        signature: What holds now.
    """

    def __init__(self, signature: Signature) -> None:
        self.signature = signature
        self._first_unit = Fraction(1, 4 if signature.metre < 3 else 2)
        self._events: list[tuple[int | None, Fraction]] = []
        self._bars: list[tuple[int, int, _OpenBar, Signature]] = []
        self._first_event = 0
        self._bar = _OpenBar()
        self._tuplet_left, self._tuplet_factor = 0, Fraction(1)
        self._next_factor = Fraction(1)
        self._ties: set[int] = set()
        self._sounding: dict[tuple[str, int], int] = {}

    @property
    def has_notes(self) -> bool:
        """Whether there was anything to play yet."""
        return any(pitch is not None for pitch, _ in self._events)

    def take(self, token: dict[str, str], place: str) -> None:
        """Reads one token.

        Args:
            token: One of :func:`tokens` that is no field.
            place: Where it stands, for errors.

        Raises:
            UserError: It stands where it cannot.
        """
        if "above" in token:
            self._take_text_above(token["above"], place)
        elif "bar" in token:
            self._close_bar()
        elif "tuplet" in token:
            self._begin_tuplet(token)
        elif "tie" in token:
            self._ties.add(len(self._events) - 1)
        elif "broken" in token:
            self._break_rhythm(token["broken"], place)
        elif "letter" in token:
            self._add_notes([token], self._duration(token, "", place), place)
        elif "stack" in token:
            self._take_stack(token, place)
        elif "rest_times" in token:
            self._add(None, self._duration(token, "rest_", place))
        elif "bars_of_rest" in token:
            self._add(None, self.signature.metre * int(token["bars_of_rest"] or 1))

    def notes(self) -> Iterator[Note]:
        """The notes, those that are tied as one."""
        starts = self._starts()
        last: Note | None = None
        tied = False
        for number, (pitch, duration) in enumerate(self._events):
            if last is not None and tied and last.pitch == pitch:
                last = Note(pitch, last.start, last.duration + duration)
            else:
                if last is not None:
                    yield last
                last = None if pitch is None else Note(pitch, starts[number], duration)
            tied = number in self._ties
        if last is not None:
            yield last

    def bars(self) -> tuple[Bar, ...]:
        """The bars, the one that is open as it is."""
        self._close_bar()
        starts = self._starts()
        return tuple(
            Bar(starts[first], starts[last], signature.metre, signature.key, tuple(bar.chords))
            for first, last, bar, signature in self._bars
        )

    @property
    def length(self) -> Fraction:
        """How long it is, in quarter notes."""
        return self._starts()[-1]

    def _starts(self) -> list[Fraction]:
        """Where each event begins, and where the last one ends."""
        starts = [Fraction(0)]
        for _, duration in self._events:
            starts.append(starts[-1] + duration)
        return starts

    def _take_text_above(self, text: str, place: str) -> None:
        if text[:1] in ("^", "_", "<", ">", "@"):
            return
        chord = Chord.of(text, place)
        if chord is not None or is_silence(text):
            self._bar.chords.append(chord)

    def _take_stack(self, token: dict[str, str], place: str) -> None:
        """Notes that sound together, as long as the first of them, so many times (section 4.17)."""
        notes: list[dict[str, str]] = []
        for each in tokens(token["stack"].replace("+", " "), place):  # + marked a chord before there were brackets
            if "letter" in each:
                notes.append(each)
            elif "above" in each:
                self._take_text_above(each["above"], place)
            elif "tie" in each and notes:
                notes[-1]["tie"] = each["tie"]
            elif not {"space", "grace", "rest_times"} & each.keys():
                raise UserError(f"{place}: '[{token['stack']}]' is no chord; correct it, or leave the tune out")
        if not notes:
            raise UserError(f"{place}: '[{token['stack']}]' has no note; correct it, or leave the tune out")
        times, divisor = self._ratio(token, "stack_", place)
        self._add_notes(notes, self._duration(notes[0], "", place) * times / divisor, place)

    def _add_notes(self, notes: Sequence[dict[str, str]], duration: Fraction, place: str) -> None:
        """One note, or several that sound together: the highest is the tune's."""
        names = [_name(note) for note in notes]
        pitches = [self._pitch(*name, note.get("accidental"), place) for name, note in zip(names, notes, strict=True)]
        self._add(max(pitches), duration)
        self._sounding = dict(zip(names, pitches, strict=True))
        if any("tie" in note and pitch == max(pitches) for note, pitch in zip(notes, pitches, strict=True)):
            self._ties.add(len(self._events) - 1)

    def _begin_tuplet(self, token: dict[str, str]) -> None:
        played, metre = int(token["tuplet"]), self.signature.metre
        is_compound = (metre * 2) % 3 == 0 and metre != 3
        in_time_of = int(token.get("in_time_of") or _TUPLETS.get(played, 3 if is_compound else 2))
        self._tuplet_left = int(token.get("count") or played)
        self._tuplet_factor = Fraction(in_time_of, played)

    def _break_rhythm(self, marks: str, place: str) -> None:
        """``a>b``: the first is longer by what the second loses (section 4.4)."""
        if not self._events:
            raise UserError(f"{place}: '{marks}' stands before the first note; correct it, or leave the tune out")
        longer = 2 - Fraction(1, 2 ** len(marks))
        pitch, duration = self._events[-1]
        self._events[-1] = (pitch, duration * (longer if marks[0] == ">" else 2 - longer))
        self._next_factor = 2 - longer if marks[0] == ">" else longer

    def _add(self, pitch: int | None, duration: Fraction) -> None:
        if self._tuplet_left:
            self._tuplet_left -= 1
            duration *= self._tuplet_factor
        if self._next_factor != 1:
            duration, self._next_factor = duration * self._next_factor, Fraction(1)
        self._events.append((pitch, duration))
        self._sounding = {}

    def _duration(self, token: dict[str, str], prefix: str, place: str) -> Fraction:
        """In quarter notes; without ``L:`` the unit is that of the metre that the tune begins with (section 3.1.7)."""
        unit = self.signature.unit if self.signature.unit is not None else self._first_unit
        return _lasting(unit, *self._ratio(token, prefix, place))

    def _ratio(self, token: dict[str, str], prefix: str, place: str) -> tuple[int, int]:
        """How many units: ``3/2``, ``/``, ``//``."""
        slashes, over = len(token[f"{prefix}slashes"]), token[f"{prefix}over"]
        divisor = int(over) if over else 2**slashes
        if divisor < 1:
            raise UserError(f"{place}: a note lasts 1/0; correct it, or leave the tune out")
        return int(token[f"{prefix}times"] or 1), divisor

    def _pitch(self, letter: str, octave: int, accidental: str | None, place: str) -> int:
        """A note's number; one that is tied keeps it over a bar line, which ends the accidentals of all others."""
        name = letter, octave
        if accidental is not None:
            self._bar.accidentals[name] = _SEMITONES[accidental]
        elif name in self._sounding and len(self._events) - 1 in self._ties:
            return self._sounding[name]
        change = self._bar.accidentals.get(name, self.signature.key.signature(letter))
        return check_pitch(60 + NATURAL[letter] + OCTAVE * octave + change, place)

    def _close_bar(self) -> None:
        """Ends a bar; one without notes or rests is none, and its chords belong to the next."""
        first, last = self._first_event, len(self._events)
        chords = [] if last > first else self._bar.chords
        if last > first:
            self._bars.append((first, last, self._bar, self.signature))
        self._first_event = last
        self._bar = _OpenBar(chords=chords)


def tokens(music: str, place: str) -> Iterator[dict[str, str]]:
    """What music consists of: of each token the parts, by their names.

    Args:
        music: A line, or a part of one.
        place: Where it stands, for errors.

    Raises:
        UserError: Something there is no ABC.
    """
    position = 0
    while position < len(music):
        found = _TOKEN.match(music, position)
        if found is None:
            raise UserError(
                f"{place}: '{music[position : position + 10]}' at character {position + 1} is no ABC that seqlab "
                "reads; correct it, or leave the tune out"
            )
        position = found.end()
        yield {name: value for name, value in found.groupdict().items() if value is not None}


def _name(note: dict[str, str]) -> tuple[str, int]:
    """A note's letter, and the octave above that of middle C."""
    return note["letter"].upper(), note["letter"].islower() + note["octave"].count("'") - note["octave"].count(",")


@lru_cache(maxsize=1024)
def _lasting(unit: Fraction, times: int, divisor: int) -> Fraction:
    """How long a note of so many units is; the same few come again and again."""
    return unit * times / divisor


def _ratio(text: str, place: str) -> Fraction:
    """A metre or a unit: ``6/8``, ``(2+3)/8``."""
    found = re.fullmatch(r"\(?(\d+(?:\+\d+)*)\)?(?:/(\d+))?", text)
    if found is None or found[2] == "0":
        raise UserError(f"{place}: '{text}' is no metre or length; write it as 6/8 or 1/8")
    value = Fraction(sum(map(int, found[1].split("+"))), int(found[2] or 1))
    if not value:
        raise UserError(f"{place}: '{text}' is no metre or length; write it as 6/8 or 1/8")
    return value
