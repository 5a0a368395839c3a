"""Text in other pieces each time it is read: a training set of few sentences shows its words in more ways."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence

from datamodules.batch import SequenceBatch
from datamodules.errors import UserError
from datamodules.tokenizers import Tokenizer

Merges = Mapping[int, tuple[int, int]]
"""For a piece the two that it was merged of."""


class PieceDropout:
    """Takes back merges of pieces at random, each with the same probability, and those of what comes out as well.

    The text stays the same. Like BPE-dropout (Provilkov et al. 2020, section 3), which leaves out merges while it
    encodes, but on ids: no text has to be at hand. What is drawn depends on the seed, the epoch and the pair alone,
    and so neither on the batch nor on the number of processes.

    Args:
        rate: Probability that a merge is taken back.
        source: The trained tokenizer of the source.
        target: The trained tokenizer of the target.
        seed: Seed of the merges that are drawn.

    Raises:
        UserError: The rate is outside [0, 1), or a tokenizer merges nothing.
    """

    def __init__(self, rate: float, source: Tokenizer, target: Tokenizer, seed: int) -> None:
        check_rate(rate)
        self._rate = rate
        self._seed = seed
        self._source = _merges(source)
        self._target = self._source if target is source else _merges(target)

    def __call__(self, batch: SequenceBatch, epoch: int) -> SequenceBatch:
        """The batch in other pieces.

        Args:
            batch: As the corpus has it.
            epoch: Counted from 0.
        """
        sources, targets = [], []
        for number, index in enumerate(batch.index.tolist()):
            draw = random.Random(f"{self._seed} {epoch} {index}").random
            source = batch.source.values[number, : batch.source.lengths[number] - 1].tolist()
            target = batch.target.values[number, 1 : batch.target.lengths[number] - 1].tolist()
            sources.append(list(self._split(source, self._source, draw)))
            targets.append(list(self._split(target, self._target, draw)))
        return SequenceBatch.from_pairs(sources, targets, batch.index)

    def _split(self, ids: Sequence[int], merges: Merges, draw: Callable[[], float]) -> Iterator[int]:
        for piece in ids:
            parts = merges.get(piece)
            if parts is not None and draw() < self._rate:
                yield from self._split(parts, merges, draw)
            else:
                yield piece


def check_rate(rate: float) -> None:
    """Refuses what is no probability, or leaves no merge.

    Raises:
        UserError: The rate is outside [0, 1).
    """
    if not 0.0 <= rate < 1.0:
        raise UserError(f"data.init_args.piece_dropout is {rate}: give 0 up to, but not including, 1")


def _merges(tokenizer: Tokenizer) -> Merges:
    merges = tokenizer.merges()
    if not merges:
        raise UserError(
            f"piece_dropout takes back merges of pieces, but this {type(tokenizer).__name__} merges nothing: set "
            "data.init_args.piece_dropout to 0, or take a SentencePieceTokenizer with model_type bpe"
        )
    return merges
