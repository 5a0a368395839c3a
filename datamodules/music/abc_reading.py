"""Tunes in ABC notation (the standard, version 2.1): one voice, with bars, keys and chord symbols."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache

from datamodules.errors import UserError
from datamodules.music.harmony import C_MAJOR, NATURAL, OCTAVE, Chord, Key
from datamodules.music.notes import Bar, Note, Piece, check_pitch

_LENGTH = r"(?P<{0}times>\d*)(?P<{0}slashes>/*)(?P<{0}over>\d*)"
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
            r"\((?P<tuplet>\d)(?::(?P<in_time_of>\d?))?(?::(?P<count>\d?))?",
            r"(?P<slur>[()])",
            r"(?P<tie>-)",
            r"(?P<broken>>+|<+)",
            _PITCH + _LENGTH.format(""),
            r"\[(?P<stack>[^\]|:]+)\]" + _LENGTH.format("stack_"),
            r"[zx]" + _LENGTH.format("rest_"),
            r"Z(?P<bars_of_rest>\d*)",
        )
    )
)
_STACKED = re.compile(_PITCH)
_FIELD = re.compile(r"([A-Za-z]):(.*)")

_TUPLETS = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}
"""In the time of how many notes so many are played; of others it depends on the metre (section 4.13)."""

_SEMITONES = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}


def read_tunes(lines: Iterable[str], file: str) -> Iterator[Piece | UserError]:
    """The tunes of a file: each begins with a line ``X:``; without one, the file is one tune.

    Args:
        lines: Of the file.
        file: Its name, for messages.

    Yields:
        Each tune; for one that cannot be read, the error with file, tune and line.
    """
    found = False
    for tune in _tunes(lines):
        try:
            piece = _read_tune(tune, file)
        except UserError as error:
            found = True
            yield error
        else:
            if piece is not None:
                found = True
                yield piece
    if not found:
        yield UserError(f"{file} has no tune with notes: leave it out")


def _tunes(lines: Iterable[str]) -> Iterator[list[tuple[int, str]]]:
    """The lines of each tune, with their numbers."""
    tune: list[tuple[int, str]] = []
    for number, line in enumerate(lines, start=1):
        if line.startswith("X:") and tune:
            yield tune
            tune = []
        tune.append((number, line))
    yield tune


def _read_tune(lines: list[tuple[int, str]], file: str) -> Piece | None:
    """The tune of some lines; None where there is nothing to play."""
    number = next((line[2:].strip() for _, line in lines if line.startswith("X:")), "")
    place = f"{file}, tune {number}" if number else file
    reader = TuneReader(place)
    for line_number, line in lines:
        reader.read_line(line, f"{place}, line {line_number}")
    return reader.piece() if reader.has_notes else None


@dataclass
class _OpenBar:
    """A bar that is being read: its accidentals hold until its end."""

    start: Fraction
    accidentals: dict[tuple[str, int], int] = field(default_factory=dict)
    chords: list[Chord] = field(default_factory=list)


class TuneReader:
    """Reads one tune, a line after the other. Repeats are not played twice.

    Args:
        place: Where the tune stands, for messages.
    """

    def __init__(self, place: str) -> None:
        self._place = place
        self._key = C_MAJOR
        self._metre = Fraction(4)
        self._unit: Fraction | None = None
        self._events: list[tuple[int | None, Fraction]] = []
        self._bars: list[tuple[int, int, _OpenBar, Fraction, Key]] = []
        self._first_event = 0
        self._bar = _OpenBar(Fraction(0))
        self._tuplet_left, self._tuplet_factor = 0, Fraction(1)
        self._next_factor = Fraction(1)
        self._ties: set[int] = set()

    @property
    def has_notes(self) -> bool:
        """Whether there was anything to play yet."""
        return any(pitch is not None for pitch, _ in self._events)

    def read_line(self, line: str, place: str) -> None:
        """Reads a line: a field, or music.

        Args:
            line: Without its end.
            place: Where it stands, for errors.

        Raises:
            UserError: It cannot be read.
        """
        found = _FIELD.match(line)
        if found:
            self.read_field(found[1], found[2], place)
        elif not line.startswith("%"):
            self.read_music(line, place)

    def read_field(self, letter: str, value: str, place: str) -> None:
        """Reads a field: metre, unit of length and key; others do not matter.

        Raises:
            UserError: Its value is none.
        """
        text = value.partition("%")[0].strip()
        if letter == "K":
            self._key = Key.of(text, place)
        elif letter == "M":
            self._metre = {"C": Fraction(4), "C|": Fraction(4), "none": Fraction(4)}.get(text) or 4 * _ratio(
                text, place
            )
        elif letter == "L":
            self._unit = 4 * _ratio(text, place)

    def read_music(self, music: str, place: str) -> None:
        """Reads notes, bar lines and what is between them.

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
            self._take({name: value for name, value in found.groupdict().items() if value is not None}, place)
            position = found.end()

    def piece(self) -> Piece:
        """The tune, with notes that are tied as one."""
        self._close_bar()
        starts = [Fraction(0)]
        for _, duration in self._events:
            starts.append(starts[-1] + duration)
        notes: list[Note] = []
        tied = False
        for number, (pitch, duration) in enumerate(self._events):
            if tied and pitch is not None and notes[-1].pitch == pitch:
                notes[-1] = Note(pitch, notes[-1].start, notes[-1].duration + duration)
            elif pitch is not None:
                notes.append(Note(pitch, starts[number], duration))
            tied = number in self._ties and pitch is not None
        bars = tuple(
            Bar(starts[first], starts[last], metre, key, tuple(bar.chords))
            for first, last, bar, metre, key in self._bars
        )
        return Piece(self._place, (tuple(notes),), starts[-1], bars)

    def _take(self, token: dict[str, str], place: str) -> None:
        """One token, by the names of its parts."""
        if "above" in token:
            self._take_text_above(token["above"])
        elif "field" in token:
            self.read_field(token["field"], token["value"], place)
        elif "bar" in token:
            self._close_bar()
        elif "tuplet" in token:
            self._begin_tuplet(token)
        elif "tie" in token:
            self._ties.add(len(self._events) - 1)
        elif "broken" in token:
            self._break_rhythm(token["broken"], place)
        elif "letter" in token:
            self._add(self._pitch(token, place), self._duration(token, "", place))
        elif "stack" in token:
            self._take_stack(token, place)
        elif "rest_times" in token:
            self._add(None, self._duration(token, "rest_", place))
        elif "bars_of_rest" in token:
            self._add(None, self._metre * int(token["bars_of_rest"] or 1))

    def _take_text_above(self, text: str) -> None:
        chord = None if text[:1] in ("^", "_", "<", ">", "@") else Chord.of(text)
        if chord is not None:
            self._bar.chords.append(chord)

    def _take_stack(self, token: dict[str, str], place: str) -> None:
        """Notes that sound together: the highest is the tune's."""
        stacked = list(_STACKED.finditer(token["stack"]))
        if not stacked:
            raise UserError(f"{place}: '[{token['stack']}]' has no note; correct it, or leave the tune out")
        pitches = [self._pitch({k: v for k, v in each.groupdict().items() if v}, place) for each in stacked]
        self._add(max(pitches), self._duration(token, "stack_", place))

    def _begin_tuplet(self, token: dict[str, str]) -> None:
        played = int(token["tuplet"])
        is_compound = (self._metre * 2) % 3 == 0 and self._metre != 3
        in_time_of = int(token.get("in_time_of") or _TUPLETS.get(played, 3 if is_compound else 2))
        self._tuplet_left = int(token.get("count") or played)
        self._tuplet_factor = Fraction(in_time_of, max(1, played))

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

    def _duration(self, token: dict[str, str], prefix: str, place: str) -> Fraction:
        """In quarter notes; without ``L:`` the unit follows from the metre (section 3.1.7)."""
        unit = self._unit if self._unit is not None else Fraction(1, 4 if self._metre < 3 else 2)
        slashes, over = len(token[f"{prefix}slashes"]), token[f"{prefix}over"]
        divisor = int(over) if over else 2**slashes
        if divisor < 1:
            raise UserError(f"{place}: a note lasts 1/0; correct it, or leave the tune out")
        return _lasting(unit, int(token[f"{prefix}times"] or 1), divisor)

    def _pitch(self, token: dict[str, str], place: str) -> int:
        letter, octaves = token["letter"], token.get("octave", "")
        octave = (letter.islower()) + octaves.count("'") - octaves.count(",")
        name = letter.upper()
        if "accidental" in token:
            self._bar.accidentals[name, octave] = _SEMITONES[token["accidental"]]
        change = self._bar.accidentals.get((name, octave), self._key.signature(name))
        return check_pitch(60 + NATURAL[name] + OCTAVE * octave + change, place)

    def _close_bar(self) -> None:
        """Ends a bar; one without notes or rests is none, and its chords belong to the next."""
        first, last = self._first_event, len(self._events)
        chords = [] if last > first else self._bar.chords
        if last > first:
            self._bars.append((first, last, self._bar, self._metre, self._key))
        self._first_event = last
        self._bar = _OpenBar(Fraction(0), chords=chords)


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
