"""What is reached without a model: holding what was before, the tonic, a naive Bayes classifier."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from datamodules.music.harmony import OCTAVE, Chord
from datamodules.music.notes import Piece, chords_in_force

_SMOOTHING = 0.5
"""What is added to each count of a pitch class."""


@dataclass(frozen=True)
class KnownBar:
    """A bar with a chord.

    Attributes:
        chord: Relative to the tonic.
        before: That of the bar before; None for the first.
        is_minor: Whether the key is.
        heard: How long each pitch class sounds, in quarter notes, by semitones above the tonic.
    """

    chord: Chord
    before: Chord | None
    is_minor: bool
    heard: Mapping[int, Fraction]


def known_bars(pieces: Iterable[Piece]) -> Iterator[KnownBar]:
    """The bars of tunes from the first chord on.

    Args:
        pieces: With bars.
    """
    for piece in pieces:
        before = None
        for bar, chord in zip(piece.bars, chords_in_force(piece), strict=True):
            if chord is None:
                continue
            relative = chord.moved(-bar.key.tonic)
            heard: defaultdict[int, Fraction] = defaultdict(Fraction)
            for note in piece.voices[0]:
                if bar.start <= note.start < bar.end:
                    heard[(note.pitch - bar.key.tonic) % OCTAVE] += note.duration
            yield KnownBar(relative, before, bar.key.is_minor, heard)
            before = relative


def chord_baselines(training: Iterable[Piece], test: Iterable[Piece]) -> tuple[int, dict[str, float]]:
    """The share of bars whose chord is right, root relative to the key, and minor.

    Args:
        training: What the classifier is trained on.
        test: What is scored.

    Returns:
        The number of bars, and for each baseline the share.
    """
    bars, classifier = list(known_bars(test)), _NaiveBayes(known_bars(training))
    answers: dict[str, list[Chord | None]] = {
        "always the tonic": [Chord(0, bar.is_minor) for bar in bars],
        "the chord of the bar before": [bar.before for bar in bars],
        "naive Bayes on the bar's pitch classes": [classifier.chord(bar.heard) for bar in bars],
    }
    return len(bars), {
        name: sum(answer == bar.chord for answer, bar in zip(given, bars, strict=True)) / max(1, len(bars))
        for name, given in answers.items()
    }


class _NaiveBayes:
    """The most probable chord, given independent pitch classes that count by how long they sound.

    Args:
        bars: To count on.
    """

    def __init__(self, bars: Iterable[KnownBar]) -> None:
        self._chords: Counter[Chord] = Counter()
        self._heard: defaultdict[Chord, defaultdict[int, float]] = defaultdict(lambda: defaultdict(float))
        for bar in bars:
            self._chords[bar.chord] += 1
            for each, long in bar.heard.items():
                self._heard[bar.chord][each] += float(long)

    def chord(self, heard: Mapping[int, Fraction]) -> Chord:
        """The chord of a bar."""
        return max(self._chords, key=lambda chord: self._score(chord, heard))

    def _score(self, chord: Chord, heard: Mapping[int, Fraction]) -> float:
        counts = self._heard[chord]
        total = sum(counts.values()) + OCTAVE * _SMOOTHING
        likelihood = sum(float(long) * math.log((counts[each] + _SMOOTHING) / total) for each, long in heard.items())
        return math.log(self._chords[chord]) + likelihood
