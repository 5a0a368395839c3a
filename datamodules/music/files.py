"""Where pieces come from: grids in JSON, folders of MIDI or ABC, tables of tunes; or they are made up."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import Literal

from datamodules.corpora.corpus import find_file, hash_file, read_lines
from datamodules.errors import UserError, suggest
from datamodules.formats.compression import opened
from datamodules.music.abc_reading import TuneReader, check_text, read_tunes, undecided
from datamodules.music.made import made_pieces
from datamodules.music.midi import import_mido, read_midi
from datamodules.music.notes import Note, Piece, check_pitch


@dataclass(frozen=True)
class Grids:
    """A JSON file of lists of pieces, by the names of the lists; a piece is a list of steps, a step one of notes.

    Args:
        grids: The file; .gz and the like too. A note is its number in MIDI, null and NaN are rests. Where a step has
            fewer notes than voices, some rest: the notes belong to the voices whose mean they are nearest to.
        part: The name of the list, ``train``; null where the file is a list.
        steps: Steps in a quarter note. Nothing tells whether a note that comes again is struck again: it is held.
        voices: Notes of a step, the highest voice first.
    """

    grids: str
    part: str | None = None
    steps: int = 4
    voices: int = 4

    def left_out(self) -> list[str]:
        """Nothing."""
        return []

    def files(self) -> list[Path]:
        """The files that are read."""
        return [find_file(self.grids)]

    def pieces(self) -> Iterator[Piece]:
        """The pieces in the file's order.

        Raises:
            UserError: The file is no such JSON, or a step has a wrong number of notes, or one out of range.
        """
        (path,) = self.files()
        _check_steps(self.steps, str(path))
        for number, steps in enumerate(self._list(path), start=1):
            yield self._piece(steps, f"{path}, {f'{self.part} ' if self.part else ''}piece {number}")

    def _list(self, path: Path) -> list[object]:
        try:
            with opened(path) as file:
                read = json.loads(file.read())
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path} is no JSON: {error}") from error
        if self.part is not None:
            known = list(read) if isinstance(read, dict) else []
            if self.part not in known:
                raise UserError(f"{path} has no part '{self.part}': {suggest(self.part, known)}")
            read = read[self.part]
        if not isinstance(read, list) or not read:
            raise UserError(f"{path} is no list of pieces: name one of its parts by part, such as train")
        return read

    def _piece(self, steps: object, place: str) -> Piece:
        if not isinstance(steps, list) or not steps:
            raise UserError(f"{place} is no list of steps: give [[74, 70, 65, 58], ...]")
        rows = [self._row(step, f"{place}, step {number}") for number, step in enumerate(steps, start=1)]
        whole = [row for row in rows if len(row) == self.voices and None not in row]
        if not whole:
            raise UserError(f"{place}: no step has {self.voices} notes: say how many voices there are by voices")
        means = [sum(filter(None, line)) / len(line) for line in zip(*whole, strict=True)]
        lines = zip(*(_with_rests(row, means) for row in rows), strict=True)
        voices = tuple(tuple(self._notes(line)) for line in lines)
        return Piece(place, voices, Fraction(len(rows), self.steps))

    def _row(self, step: object, place: str) -> list[int | None]:
        if not isinstance(step, list) or len(step) > self.voices:
            found = f"{len(step)} notes" if isinstance(step, list) else "no list of notes"
            raise UserError(f"{place}: {found}, but there are {self.voices} voices: correct it, or say so by voices")
        return [self._pitch(value, place) for value in step]

    def _pitch(self, value: object, place: str) -> int | None:
        if value is None or value != value:  # NaN
            return None
        whole = int(value) if isinstance(value, float) and value.is_integer() else value
        if not isinstance(whole, int) or isinstance(whole, bool):
            raise UserError(f"{place}: {value!r} is no note: give its number in MIDI, or null")
        return check_pitch(whole, place)

    def _notes(self, line: tuple[int | None, ...]) -> Iterator[Note]:
        start = 0
        for step in range(1, len(line) + 1):
            if step == len(line) or line[step] != line[start]:
                pitch = line[start]
                if pitch is not None:
                    yield Note(pitch, Fraction(start, self.steps), Fraction(step - start, self.steps))
                start = step


@dataclass(frozen=True)
class MidiFiles:
    """A MIDI file, or a folder of such, at any depth: each file is a piece, each track a voice.

    Args:
        midi: The file or folder; files end in .mid or .midi.
        steps: Steps of the grid in a quarter note, to which notes are rounded.
        unreadable: Whether a file that cannot be read ends the command, or is left out.
    """

    midi: str
    steps: int = 4
    unreadable: Literal["refuse", "skip"] = "refuse"

    def left_out(self) -> list[str]:
        """What is wrong with the files that cannot be read."""
        return [str(each) for each in self._readings() if isinstance(each, UserError)]

    def files(self) -> list[Path]:
        """The files, in the order of their names."""
        return _found(self.midi, (".mid", ".midi"))

    def pieces(self) -> Iterator[Piece]:
        """A piece for each file.

        Raises:
            UserError: One cannot be read, has no notes, or is not on the grid.
        """
        return read_ones(self._readings(), self.unreadable)

    def _readings(self) -> Iterator[Piece | UserError]:
        _check_steps(self.steps, self.midi)
        import_mido(self.midi)
        for path in self.files():
            try:
                yield read_midi(path, self.steps)
            except UserError as error:
                yield error


@dataclass(frozen=True)
class AbcFiles:
    """A file of tunes in ABC, or a folder of such, at any depth.

    Args:
        abc: The file or folder; files end in .abc or .txt.
        unreadable: Whether a tune that cannot be read ends the command, or is left out.
        voice: Which voice is read alone, where a tune has several: its number, counted from 1; null for all of them.
    """

    abc: str
    unreadable: Literal["refuse", "skip"] = "refuse"
    voice: int | None = None

    def files(self) -> list[Path]:
        """The files, in the order of their names."""
        return _found(self.abc, (".abc", ".txt"))

    def pieces(self) -> Iterator[Piece]:
        """The tunes of all files.

        Raises:
            UserError: One cannot be read, or a file has no tune.
        """
        return read_ones(self._readings(), self.unreadable)

    def left_out(self) -> list[str]:
        """What is wrong with the tunes that cannot be read."""
        return [str(each) for each in self._readings() if isinstance(each, UserError)]

    def _readings(self) -> Iterator[Piece | UserError]:
        for path in self.files():
            yield from read_tunes(read_lines(path, undecided), str(path), self.voice)


@dataclass(frozen=True)
class TuneTable:
    """A file with a tune in ABC on each line, in columns between tabs; .gz and the like too.

    Args:
        tunes: The file.
        header: Number of the column with the fields, ``M:6/8 L:1/8 K:D minor``, counted from 0.
        music: Number of the column with the tune itself.
        unreadable: Whether a tune that cannot be read ends the command, or is left out.
        voice: Which voice is read alone, where a tune has several: its number, counted from 1; null for all of them.
    """

    tunes: str
    header: int = 0
    music: int = 1
    unreadable: Literal["refuse", "skip"] = "refuse"
    voice: int | None = None

    def files(self) -> list[Path]:
        """The file."""
        return [find_file(self.tunes)]

    def pieces(self) -> Iterator[Piece]:
        """A tune for each line.

        Raises:
            UserError: A line cannot be read.
        """
        return read_ones(self._readings(), self.unreadable)

    def left_out(self) -> list[str]:
        """What is wrong with the tunes that cannot be read."""
        return [str(each) for each in self._readings() if isinstance(each, UserError)]

    def _readings(self) -> Iterator[Piece | UserError]:
        (path,) = self.files()
        for number, line in enumerate(read_lines(path, undecided), start=1):
            try:
                check_text(line, f"{path}, line {number}")
                yield self._tune(line.split("\t"), f"{path}, line {number}")
            except UserError as error:
                yield error

    def _tune(self, cells: list[str], place: str) -> Piece:
        if len(cells) <= max(self.header, self.music):
            raise UserError(f"{place}: {len(cells)} columns, but header and music are {self.header} and {self.music}")
        reader = TuneReader(place)
        for letter, value in _FIELDS.findall(cells[self.header]):
            reader.read_field(letter, value, place)
        reader.read_music(cells[self.music], place)
        if not reader.has_notes:
            raise UserError(f"{place}: a tune without notes; leave it out")
        return reader.piece(self.voice)


@dataclass(frozen=True)
class MadePieces:
    """Pieces that are made up by rules: no file is read, nothing is downloaded. See :func:`made_pieces`.

    Args:
        made: Number of pieces.
        seed: Of what is drawn: another seed, other pieces.
        bars: Of each piece, four quarter notes long.
    """

    made: int
    seed: int = 0
    bars: int = 4

    def left_out(self) -> list[str]:
        """Nothing."""
        return []

    def files(self) -> list[Path]:
        """None."""
        return []

    def pieces(self) -> Iterator[Piece]:
        """The pieces, made anew.

        Raises:
            UserError: There would be none.
        """
        if self.made < 1 or self.bars < 1:
            raise UserError(f"{self.made} made pieces of {self.bars} bars: give at least 1 of each")
        return made_pieces(self.made, self.seed, self.bars)


_FIELDS = re.compile(r"(?<!\S)([A-Za-z]):(.*?)(?=\s[A-Za-z]:|$)")
"""Each field of a line, to where the next begins."""

PieceFiles = Grids | MidiFiles | AbcFiles | TuneTable | MadePieces
"""Where the pieces of a split come from; the keys that are given tell which it is."""


def content(files: PieceFiles) -> str:
    """A hash (hex) that tells what pieces there are: of the bytes of the files, and the settings.

    Raises:
        UserError: A file does not exist.
    """
    digest = hashlib.sha256(f"{type(files).__name__} {sorted(asdict(files).items(), key=str)}".encode())
    if isinstance(files, MadePieces):
        digest.update(repr(list(files.pieces())).encode())  # the rules may change where no setting does
    for path in files.files():
        digest.update(f"{path.name} {hash_file(path)}".encode())
    return digest.hexdigest()


def read_ones(readings: Iterator[Piece | UserError], unreadable: Literal["refuse", "skip"]) -> Iterator[Piece]:
    """The pieces among what was read.

    Args:
        readings: Pieces, and errors in the place of others.
        unreadable: Whether an error is raised, or passed over.

    Raises:
        UserError: One of the errors.
    """
    for each in readings:
        if isinstance(each, Piece):
            yield each
        elif unreadable == "refuse":
            raise each


def _with_rests(row: list[int | None], means: list[float]) -> list[int | None]:
    """A step with a note or a rest for each voice, in their order."""
    if len(row) == len(means):
        return row
    notes = [pitch for pitch in row if pitch is not None]

    def distance(voices: tuple[int, ...]) -> float:
        return sum(abs(pitch - means[voice]) for pitch, voice in zip(notes, voices, strict=True))

    chosen = min(combinations(range(len(means)), len(notes)), key=distance)
    return [notes[chosen.index(voice)] if voice in chosen else None for voice in range(len(means))]


def _found(given: str, endings: tuple[str, ...]) -> list[Path]:
    """A file, or those of a folder that end so; looked for in the working directory and in the data directory.

    Raises:
        UserError: There is none.
    """
    for place in (Path(given).expanduser(), Path(os.environ.get("SEQLAB_DATA") or "data") / given):
        if place.is_dir():
            files = sorted(path for path in place.rglob("*") if path.suffix.lower() in endings)
            if not files:
                raise UserError(f"{place} has no file that ends in {' or '.join(endings)}: give another folder")
            return files
    return [find_file(given)]


def _check_steps(steps: int, place: str) -> None:
    if steps < 1:
        raise UserError(f"{place}: steps is {steps}: give at least 1 in a quarter note")
