"""MIDI files, read and written by mido."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, BinaryIO

from datamodules.errors import UserError
from datamodules.music.notes import Note, Piece, chords_in_force, monophonic

if TYPE_CHECKING:
    import mido

TICKS = 480
"""Of a quarter note, in what is written."""

TEMPO = 625_000
"""Microseconds of a quarter note, in what is written: 96 in a minute."""

VELOCITY = 80

OFF_GRID = Fraction(1, 4)
"""A note that begins farther than that share of a step from the grid is not on it."""

MOST_OFF_GRID = 0.1
"""The share of notes that may be off the grid: more, and what is read is another piece."""

_DRUMS = 9
"""The channel whose notes are no pitches."""


def read_midi(path: Path, steps: int) -> Piece:
    """Reads a file: each track, or each channel of a file of one track, is a voice; the highest comes first.

    Args:
        path: The file.
        steps: Steps of the grid in a quarter note, to which beginnings and ends are rounded.

    Raises:
        UserError: It cannot be read, has no notes, or its notes are not on the grid.
    """
    mido = import_mido(str(path))
    try:
        file = mido.MidiFile(path)
    except (KeyError, IndexError) as error:  # whose texts say nothing of the file
        raise UserError(f"{path} cannot be read as MIDI: it is damaged; leave it out") from error
    except (OSError, EOFError, ValueError, mido.KeySignatureError) as error:
        told = " ".join(str(error).split()) or "it ends too early"
        raise UserError(f"{path} cannot be read as MIDI: {told}; export it anew, or leave it out") from error
    if file.ticks_per_beat < 1:
        raise UserError(f"{path}: its times are no beats (SMPTE): export it with ticks per quarter note")
    tracks = [_notes(track, file.ticks_per_beat) for track in file.tracks]
    lists = [notes for by_channel in tracks for notes in by_channel.values() if notes]
    if not lists:
        raise UserError(f"{path} has no notes: leave it out")
    _check_grid(path, lists, steps)
    voices = [monophonic([_rounded(note, steps) for note in notes]) for notes in lists]
    voices.sort(key=lambda voice: -sum(note.pitch for note in voice) / len(voice))
    return Piece(str(path), tuple(voices), max(note.end for voice in voices for note in voice))


def write_midi(piece: Piece, file: BinaryIO) -> None:
    """Writes a piece: a track for each voice, on the piano, and its chords as the last one.

    Args:
        piece: Any piece.
        file: Open for writing.
    """
    mido = import_mido("the MIDI output")
    midi = mido.MidiFile(ticks_per_beat=TICKS)
    head = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=TEMPO, time=0)])
    midi.tracks.append(head)
    for channel, voice in enumerate([*piece.voices, *_accompaniment(piece)]):
        messages = [
            (round(moment * TICKS), kind, note.pitch)
            for note in voice
            for moment, kind in ((note.start, "note_on"), (note.end, "note_off"))
        ]
        track, before = mido.MidiTrack(), 0
        for moment, kind, pitch in sorted(messages, key=lambda each: (each[0], each[1] == "note_on")):
            track.append(
                mido.Message(kind, note=pitch, velocity=VELOCITY, time=moment - before, channel=_channel(channel))
            )
            before = moment
        midi.tracks.append(track)
    midi.save(file=file)


def _accompaniment(piece: Piece) -> list[list[Note]]:
    """The chord that each bar begins with as notes below the tune, until another; no voice where there is no chord."""
    in_force = list(zip(piece.bars, chords_in_force(piece), strict=True))
    befores = [None, *(chord for _, chord in in_force)]
    beginnings = [
        (bar.start, chord)
        for (bar, chord), before in zip(in_force, befores, strict=False)
        if bar.chords or chord != before
    ]
    ends = [*(start for start, _ in beginnings[1:]), piece.length][: len(beginnings)]
    notes = [
        Note(48 + (step - chord.root) % 12 + chord.root, start, end - start)
        for (start, chord), end in zip(beginnings, ends, strict=True)
        if chord is not None
        for step in sorted(chord.pitch_classes)
    ]
    return [notes] if notes else []


def _notes(track: mido.MidiTrack, ticks: int) -> dict[int, list[Note]]:
    """The notes of each channel of a track, as they were played."""
    found: defaultdict[int, list[Note]] = defaultdict(list)
    sounding: dict[tuple[int, int], Fraction] = {}
    moment = Fraction(0)
    for message in track:
        moment += Fraction(message.time, ticks)
        if message.type not in ("note_on", "note_off") or message.channel == _DRUMS:
            continue
        key = (message.channel, message.note)
        if key in sounding:
            start = sounding.pop(key)
            if moment > start:
                found[message.channel].append(Note(message.note, start, moment - start))
        if message.type == "note_on" and message.velocity > 0:
            sounding[key] = moment
    for (channel, pitch), start in sounding.items():  # what is never let go ends with its track
        if moment > start:
            found[channel].append(Note(pitch, start, moment - start))
    return found


def _check_grid(path: Path, lists: list[list[Note]], steps: int) -> None:
    beginnings = [note.start * steps for notes in lists for note in notes]
    off = sum(abs(each - round(each)) > OFF_GRID for each in beginnings)
    if off > MOST_OFF_GRID * len(beginnings):
        raise UserError(
            f"{path}: {off} of {len(beginnings)} notes are not on a grid of {steps} steps in a quarter note: quantise "
            "them, or raise steps"
        )


def _rounded(note: Note, steps: int) -> Note:
    start, end = round(note.start * steps), round(note.end * steps)
    return Note(note.pitch, Fraction(start, steps), Fraction(max(1, end - start), steps))


def _channel(number: int) -> int:
    """The channels in turn, without that of the drums."""
    channels = [each for each in range(16) if each != _DRUMS]
    return channels[number % len(channels)]


def import_mido(what: str) -> ModuleType:
    """The package mido.

    Args:
        what: What needs it, for the error.

    Raises:
        UserError: It is not installed.
    """
    try:
        import mido
    except ModuleNotFoundError as error:
        raise UserError(f"{what} needs the package mido: pip install 'seqlab[music]'") from error
    return mido
