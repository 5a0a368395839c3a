"""Words that are made up: a training set of few lemmas shows its endings on more stems than it has."""

from __future__ import annotations

import random
from difflib import SequenceMatcher

import numpy as np

from datamodules.batch import UNK, SequenceBatch
from datamodules.corpora.vocabularies import shared_size
from datamodules.errors import UserError
from datamodules.tokenizers import Tokenizer

BORDER = 3
"""Symbols at the end of a stem that stay: what follows a stem depends on how it ends."""

LEAST = 2
"""Symbols that have to be replaced at least; a pair with fewer is left as it is."""


class StemHallucination:
    """Replaces what source and target have in common by letters from elsewhere, so that only the rest can be learned.

    Data hallucination (Anastasopoulos and Neubig 2019, section 2.2), anew in each epoch: the longest run of symbols
    that stands in source and target is taken for the stem; of it all but the last :data:`BORDER` symbols become others,
    the same on both sides. Theirs are drawn one by one from the alphabet; here they are a run of symbols from a place
    in the training sources that is drawn, so that they follow one another as in the language. What is drawn depends on
    the seed, the epoch and the pair alone.

    Args:
        rate: Probability that the stem of a pair is made up.
        source: The trained tokenizer of the source; features before the text are left alone.
        target: The trained tokenizer of the target.
        symbols: ``(symbols,)``, the ids of the training sources one after another.
        seed: Seed of what is drawn.

    Raises:
        UserError: The rate is no probability, or the sides have two vocabularies.
    """

    def __init__(self, rate: float, source: Tokenizer, target: Tokenizer, symbols: np.ndarray, seed: int) -> None:
        check_share(rate)
        self._shared = shared_size(source, target)
        if not self._shared:
            raise UserError(
                "data.init_args.hallucination replaces the same symbols in source and target, but they have two "
                "vocabularies: leave target_tokenizer out, or set joint_vocabulary to true"
            )
        self._rate = rate
        self._symbols = symbols
        self._seed = seed

    def __call__(self, batch: SequenceBatch, epoch: int) -> SequenceBatch:
        """The batch with stems of which some are made up.

        Args:
            batch: As the corpus has it.
            epoch: Counted from 0.
        """
        sources, targets = [], []
        for number, index in enumerate(batch.index.tolist()):
            source = batch.source.values[number, : batch.source.lengths[number] - 1].tolist()
            target = batch.target.values[number, 1 : batch.target.lengths[number] - 1].tolist()
            drawn = random.Random(f"{self._seed} {epoch} {index}")
            if drawn.random() < self._rate:
                self._replace_stem(source, target, drawn)
            sources.append(source)
            targets.append(target)
        return SequenceBatch.from_pairs(sources, targets, batch.index)

    def _replace_stem(self, source: list[int], target: list[int], drawn: random.Random) -> None:
        """Gives both a stem that is made up, in place."""
        stem = SequenceMatcher(None, source, target, autojunk=False).find_longest_match()
        count = stem.size - BORDER
        if count < LEAST:
            return
        start = drawn.randrange(len(self._symbols))
        run = self._symbols[start : start + 4 * count]
        letters = run[(run > UNK) & (run < self._shared)][:count].tolist()
        if len(letters) == count:
            source[stem.a : stem.a + count] = letters
            target[stem.b : stem.b + count] = letters


def check_share(rate: float) -> None:
    """Refuses what is no probability.

    Raises:
        UserError: The rate is outside [0, 1].
    """
    if not 0.0 <= rate <= 1.0:
        raise UserError(f"data.init_args.hallucination is {rate}: give 0 to 1")
