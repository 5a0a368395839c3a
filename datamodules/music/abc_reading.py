"""Tunes in ABC notation (the standard, version 2.1): voices, with bars, keys and chord symbols."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from datamodules.corpora.corpus import check_characters
from datamodules.errors import UserError
from datamodules.music.abc_voice import Signature, VoiceReader, tokens
from datamodules.music.notes import Piece

_FIELD = re.compile(r"(?![A-Ga-gxz]:[|:])([A-Za-z+]):(.*)")
"""A line of a field, or of one that goes on (``+:``); a last note of a repeat, ``G:|``, is none."""

_FILE_FIELD = re.compile("[LM]:")
"""What the head of a file may say for all its tunes (section 3)."""


def read_tunes(lines: Iterable[str], file: str, voice: int | None = None) -> Iterator[Piece | UserError]:
    """The tunes of a file: each begins with a line ``X:``; without one, the file is one tune.

    Metre and unit of length that stand before the first tune count for all that have none of their own.

    Args:
        lines: Of the file.
        file: Its name, for messages.
        voice: As :meth:`TuneReader.piece` takes it.

    Yields:
        Each tune; for one that cannot be read, the error with file, tune and line.
    """
    found = False
    for tune in _tunes(lines):
        try:
            piece = _read_tune(tune, file, voice)
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
    """The lines of each tune, with their numbers; those of the file's head before them."""
    head: list[tuple[int, str]] = []
    tune: list[tuple[int, str]] = []
    is_first = True
    for number, line in enumerate(lines, start=1):
        if line.startswith("X:"):
            if is_first:
                head = [each for each in tune if _FILE_FIELD.match(each[1])]
            else:
                yield tune
            tune, is_first = [*head], False
        tune.append((number, line))
    yield tune


def _read_tune(lines: list[tuple[int, str]], file: str, voice: int | None) -> Piece | None:
    """The tune of some lines; None where there is nothing to play."""
    number = next((line[2:].strip() for _, line in lines if line.startswith("X:")), "")
    number = number.encode(errors="replace").decode()
    place = f"{file}, tune {number}" if number else file
    reader = TuneReader(place)
    for line_number, line in lines:
        check_text(line, f"{place}, line {line_number}")
        reader.read_line(line, f"{place}, line {line_number}")
    return reader.piece(voice) if reader.has_notes else None


def undecided(raw: bytes, _path: Path, _number: int) -> str:
    """A line whose bytes may be no UTF-8, which :func:`check_text` tells: then its tune is wrong, and no other.

    Args:
        raw: Its bytes.
    """
    return raw.decode(errors="surrogateescape")


def check_text(line: str, place: str) -> None:
    """Refuses a line whose bytes were no UTF-8, or that has a character which ends lines elsewhere.

    Args:
        line: As :func:`undecided` gave it.
        place: Where it stands, for the error.

    Raises:
        UserError: It is no text.
    """
    raw = line.encode(errors="surrogateescape")
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        raise UserError(
            f"{place}: not UTF-8 (byte 0x{raw[error.start]:02x} at position {error.start + 1}); convert the file, for "
            "example with iconv -f LATIN1 -t UTF-8, or leave the tune out"
        ) from error
    check_characters(line, place)


class TuneReader:
    """Reads one tune, a line after the other. Repeats are not played twice.

    Args:
        place: Where the tune stands, for messages.
    """

    def __init__(self, place: str) -> None:
        self._place = place
        self._head = Signature()
        self._is_head = True
        self._declared: list[str] = []
        self._voices: dict[str, VoiceReader] = {}
        self._voice: VoiceReader | None = None

    @property
    def has_notes(self) -> bool:
        """Whether there was anything to play yet."""
        return any(voice.has_notes for voice in self._voices.values())

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
        """Reads a field: voice, metre, unit of length and key; others do not matter.

        In the head, which ends with the key, a voice is only named. Where a voice has begun, fields are its own.

        Raises:
            UserError: Its value is none.
        """
        text = value.partition("%")[0].strip()
        if letter == "V":
            self._name_voice(text, place)
        elif self._voice is None:
            self._head = self._head.with_field(letter, text, place)
            self._is_head = self._is_head and letter != "K"
        else:
            self._voice.signature = self._voice.signature.with_field(letter, text, place)

    def read_music(self, music: str, place: str) -> None:
        """Reads notes, bar lines and what is between them.

        Raises:
            UserError: Something there is no ABC.
        """
        for token in tokens(music, place):
            if "field" in token:
                self.read_field(token["field"], token["value"], place)
            elif "space" not in token:
                self._playing().take(token, place)

    def piece(self, voice: int | None = None) -> Piece:
        """The tune. Its bars are those of the voice with the most chord symbols, else of the first one.

        Args:
            voice: The number of the voice that is read alone, counted from 1 in the order in which the tune names them;
                None for all that have notes.

        Raises:
            UserError: There is no such voice, or it has no notes.
        """
        voices = list(self._voices.values())
        if voice is not None and not 1 <= voice <= len(voices):
            raise UserError(f"{self._place}: voice is {voice}, but there are {len(voices)}: give 1 to {len(voices)}")
        chosen = [each for each in (voices if voice is None else [voices[voice - 1]]) if each.has_notes]
        if not chosen:
            raise UserError(f"{self._place}: voice {voice} has no notes; name another by voice, or leave the tune out")
        notes = tuple(tuple(each.notes()) for each in chosen)
        bars = max((each.bars() for each in chosen), key=lambda each: sum(len(bar.chords) for bar in each))
        return Piece(self._place, notes, max(each.length for each in chosen), bars)

    def _name_voice(self, text: str, place: str) -> None:
        name, *properties = text.split() or [""]
        if shifted := [each for each in properties if re.fullmatch("octave=.*[1-9].*", each)]:
            raise UserError(f"{place}: '{shifted[0]}' is not read: write the notes in their octave")
        if name not in self._declared:
            self._declared.append(name)
        if not self._is_head:
            self._begin_voice(name)

    def _playing(self) -> VoiceReader:
        """The voice whose music is read: where none was begun, the first that was named."""
        return self._voice or self._begin_voice(self._declared[0] if self._declared else "1")

    def _begin_voice(self, name: str) -> VoiceReader:
        """Goes on with a voice, or begins it; all that were named have their places in that order."""
        self._is_head = False
        for each in [*self._declared, name]:
            self._voices.setdefault(each, VoiceReader(self._head))
        self._voice = self._voices[name]
        return self._voice
