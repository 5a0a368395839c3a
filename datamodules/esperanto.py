"""Inflection of Esperanto, made on the spot: a lemma and features to a form.

Esperanto is regular: the last letters of a word say all of its grammar. Roots are made up of its letters, so that none
was learnt before; the endings are those of the language.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from datamodules.batch import Split
from datamodules.corpora.corpus import hash_pairs
from datamodules.corpora.features import Features
from datamodules.corpora.parallel import ParallelDataModule
from datamodules.curriculum import Curriculum
from datamodules.made_splits import split_of, split_sizes
from datamodules.tokenizers import CharacterTokenizer

_ONSETS = (
    "b",
    "d",
    "f",
    "g",
    "h",
    "k",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "t",
    "v",
    "ĉ",
    "ĝ",
    "ŝ",
    "bl",
    "dr",
    "fr",
    "tr",
    "st",
)
_VOWELS = ("a", "e", "i", "o", "u", "aŭ", "ej")
_CODAS = ("", "", "l", "n", "r", "s", "t", "k", "m", "p")

_NOMINAL = {("NOM", "SG"): "", ("NOM", "PL"): "j", ("ACC", "SG"): "n", ("ACC", "PL"): "jn"}
_FINITE = {"PRS": "as", "PST": "is", "FUT": "os", "COND": "us", "IMP": "u"}
_PARTICIPLES = {
    ("ACT", "PRS"): "anta",
    ("ACT", "PST"): "inta",
    ("ACT", "FUT"): "onta",
    ("PASS", "PRS"): "ata",
    ("PASS", "PST"): "ita",
    ("PASS", "FUT"): "ota",
}


@dataclass(frozen=True)
class Inflection:
    """One cell of a paradigm.

    Attributes:
        features: Between semicolons, the part of speech first, as in UniMorph.
        lemma_ending: What the lemma ends with.
        ending: What the form has in its place.
    """

    features: str
    lemma_ending: str
    ending: str


def paradigm() -> list[Inflection]:
    """Every inflection of nouns, adjectives and verbs."""
    nominal = [
        Inflection(";".join((kind, *case)), vowel, vowel + ending)
        for (kind, vowel), (case, ending) in product((("N", "o"), ("ADJ", "a")), _NOMINAL.items())
    ]
    finite = [Inflection(f"V;{tense}", "i", ending) for tense, ending in _FINITE.items()]
    participles = [Inflection(";".join(("V.PTCP", *kind)), "i", ending) for kind, ending in _PARTICIPLES.items()]
    return nominal + finite + participles


class EsperantoDataModule(ParallelDataModule):
    """Lemma and features to a form, characters on both sides: no file is read, nothing is downloaded.

    ``hundo`` with ``N;ACC;PL`` is ``hundojn``. No root is in two splits, so that remembering does not help. Source and
    target share one vocabulary; features are symbols of their own before the lemma.

    Args:
        train_size: Number of training pairs.
        val_size: Number of validation pairs.
        test_size: Number of test pairs.
        corpus_seed: Seed of the roots: another seed, another corpus.
        batch_size: Pairs of one training batch, all processes together.
        eval_batch_size: Pairs of one batch in validation, test and prediction, all processes together.
        seed: Seed of the order of the training batches.
        num_workers: Processes that load batches beside the training process; 0 loads in it.
        cache_directory: Where the vocabulary and encoded text are kept; else $SEQLAB_CACHE, else ~/.cache/seqlab.
        curriculum: Which training batches come when; each once an epoch, in random order, if not given.

    Raises:
        UserError: A size is below 1.
    """

    def __init__(
        self,
        train_size: int = 3_000,
        val_size: int = 300,
        test_size: int = 500,
        corpus_seed: int = 0,
        batch_size: int = 64,
        eval_batch_size: int = 64,
        seed: int = 0,
        num_workers: int = 0,
        cache_directory: str | None = None,
        curriculum: Curriculum | None = None,
    ) -> None:
        super().__init__(
            tokenizer=Features().before(CharacterTokenizer()),
            batch_size=batch_size,
            eval_batch_size=eval_batch_size,
            max_length=sys.maxsize,
            seed=seed,
            num_workers=num_workers,
            cache_directory=cache_directory,
            curriculum=curriculum,
        )
        self._sizes = split_sizes(train_size, val_size, test_size)
        self._corpus_seed = corpus_seed

    def pairs(self, split: Split) -> Iterator[tuple[str, str]]:
        """All pairs of a split, made anew: lemma, tab, features; and the form."""
        draw = random.Random(f"{self._corpus_seed} {split}")
        inflections = paradigm()
        for _ in range(self._sizes[split]):
            root = next(root for root in _roots(draw) if split_of(root) == split)
            cell = draw.choice(inflections)
            yield f"{root}{cell.lemma_ending}\t{cell.features}", root + cell.ending

    def content(self, split: Split) -> str:
        """The hash (hex) of a split's pairs."""
        return hash_pairs(self.pairs(split))


def _roots(draw: random.Random) -> Iterator[str]:
    """Roots of one to three syllables, without end."""
    while True:
        syllables = draw.choice((1, 2, 2, 3))
        onset = "".join(draw.choice(_ONSETS) + draw.choice(_VOWELS) + draw.choice(_CODAS) for _ in range(syllables))
        yield onset + draw.choice(_ONSETS)
