"""Splits of corpora that are made on the spot: how many pairs each has, and which made-up words are its own."""

from __future__ import annotations

import hashlib
import random

from datamodules.batch import Split
from datamodules.errors import UserError

_ONSETS = ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z", "br", "st", "pl", "tr")
_VOWELS = ("a", "e", "i", "o", "u")
_CODAS = ("", "", "l", "n", "r", "s", "t")


def split_sizes(train_size: int, val_size: int, test_size: int) -> dict[Split, int]:
    """How many pairs each split has.

    Args:
        train_size: Number of training pairs.
        val_size: Number of validation pairs.
        test_size: Number of test pairs.

    Raises:
        UserError: One is below 1.
    """
    sizes: dict[Split, int] = {"train": train_size, "val": val_size, "test": test_size}
    for split, size in sizes.items():
        if size < 1:
            raise UserError(f"data.init_args.{split}_size is {size}: give at least 1")
    return sizes


def split_of(symbol: str) -> Split:
    """The only split that may have a made-up word, root or number, whatever the seed.

    Args:
        symbol: As it is written. An eighth of all symbols is for validation, another for the test.
    """
    byte = hashlib.blake2b(symbol.encode(), digest_size=1).digest()[0]
    return "val" if byte < 32 else "test" if byte < 64 else "train"


def made_word(draw: random.Random, split: Split) -> str:
    """A made-up word of two or three syllables that no other split has.

    Args:
        draw: Where chance comes from.
        split: Whose word it is.
    """
    while True:
        syllables = draw.choice((2, 2, 3))
        word = "".join(draw.choice(_ONSETS) + draw.choice(_VOWELS) + draw.choice(_CODAS) for _ in range(syllables))
        if split_of(word) == split:
            return word
