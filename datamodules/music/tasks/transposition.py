"""Pieces in other keys each time they are read: a training set of few pieces shows its harmony in all of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping

from datamodules.batch import SPECIAL_PIECES, SequenceBatch
from datamodules.tokenizers import SymbolTokenizer

Moved = Callable[[str, int], str | None]
"""A symbol and by how many semitones upwards: what it becomes; None where there is no such."""


class Transposition:
    """Moves all symbols of a training pair by the same interval, drawn among those that the vocabularies have.

    What is drawn depends on the seed, the epoch and the pair alone, and so neither on the batch nor on the number of
    processes.

    Args:
        semitones: The largest interval, up or down.
        source: The trained tokenizer of the source.
        target: The trained tokenizer of the target.
        moved: What becomes of a symbol.
        seed: Seed of the intervals that are drawn.
    """

    def __init__(
        self, semitones: int, source: SymbolTokenizer, target: SymbolTokenizer, moved: Moved, seed: int
    ) -> None:
        self._seed = seed
        self._ids = {
            interval: (_moved_ids(source, moved, interval), _moved_ids(target, moved, interval))
            for interval in range(-semitones, semitones + 1)
        }

    def __call__(self, batch: SequenceBatch, epoch: int) -> SequenceBatch:
        """The batch in other keys.

        Args:
            batch: As the corpus has it.
            epoch: Counted from 0.
        """
        sources, targets = [], []
        for number, index in enumerate(batch.index.tolist()):
            source = batch.source.values[number, : batch.source.lengths[number] - 1].tolist()
            target = batch.target.values[number, 1 : batch.target.lengths[number] - 1].tolist()
            possible = list(self._possible(source, target))
            source, target = random.Random(f"{self._seed} {epoch} {index}").choice(possible or [(source, target)])
            sources.append(source)
            targets.append(target)
        return SequenceBatch.from_pairs(sources, targets, batch.index)

    def _possible(self, source: list[int], target: list[int]) -> Iterator[tuple[list[int], list[int]]]:
        """The pair moved by each interval by which it can be."""
        for of_source, of_target in self._ids.values():
            if all(id_ in of_source for id_ in source) and all(id_ in of_target for id_ in target):
                yield [of_source[id_] for id_ in source], [of_target[id_] for id_ in target]


def _moved_ids(tokenizer: SymbolTokenizer, moved: Moved, interval: int) -> Mapping[int, int]:
    """What each id becomes, of those that become one that the vocabulary has."""
    ids = {symbol: id_ for id_, symbol in enumerate(tokenizer.symbols, start=len(SPECIAL_PIECES))}
    becomes = {id_: moved(symbol, interval) for symbol, id_ in ids.items()}
    return {id_: ids[symbol] for id_, symbol in becomes.items() if symbol in ids}
