"""What is wrong with single lines of text that a model is given: told, while the other lines go on, or refused."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from datamodules.corpora.corpus import FORBIDDEN
from datamodules.errors import UserError

if TYPE_CHECKING:
    from datamodules.excerpts import Excerpt

UNKNOWN_SHARE = 0.2
"""The share of a line's tokens that are unknown to the vocabulary from which on it is told. A name or a rare character
in a sentence is no reason to doubt its translation; text in another script has more, though a tokenizer of subwords
finds the spaces between unknown words."""

ONCE = " (further such lines are not told)"

_READ_AS_SPACE = str.maketrans(dict.fromkeys(FORBIDDEN, " "))


def add_strict_option(parser: argparse.ArgumentParser) -> None:
    """Adds ``--strict``, the argument of :class:`LineFaults`."""
    parser.add_argument(
        "--strict",
        action="store_true",
        help="end at a line that is no UTF-8, longer than any of the training, or largely unknown to the vocabulary, "
        "in place of a warning",
    )


class LineFaults:
    """Tells on standard error what is wrong with a line; one of many costs the others nothing, and a service goes on.

    Args:
        strict: Raise a :class:`UserError` in place of each warning.
    """

    def __init__(self, strict: bool = False) -> None:
        self._strict = strict
        self._told: set[tuple[str, str]] = set()
        self._left_out: set[int] = set()

    def decode(self, raw: bytes, name: Path | str, number: int) -> str:
        """The text of a line; an empty one where it is not UTF-8, which is told of each such line.

        What no training text has, since other programs take it for the end of a line or of the text, is read as a
        space: NUL, U+2028 and U+2029. So a line stays a line.

        Args:
            raw: Without the line's end.
            name: What it is read from.
            number: Number of the line, from 1.

        Raises:
            UserError: It is not UTF-8, and lines are read strictly.
        """
        try:
            return raw.decode().translate(_READ_AS_SPACE)
        except UnicodeDecodeError as error:
            wrong = f"{name}, line {number}: byte {error.start + 1} ({raw[error.start]:#04x}) is not UTF-8"
            self._tell(wrong, "the line is taken as empty", "convert the text, for example with iconv")
        self._left_out.add(number)
        return ""

    def was_left_out(self, number: int) -> bool:
        """Whether a line of that number was not UTF-8, in any of the files; to be asked once for each line."""
        found = number in self._left_out
        self._left_out.discard(number)
        return found

    def check_length(self, tokens: int, longest: int | None, side: str, place: str) -> None:
        """Tells once for each side that a line is longer than all that the model was trained on.

        Args:
            tokens: Number of tokens of the line, EOS not counted.
            longest: The longest of the training; None where it is not known.
            side: ``source`` or ``target``.
            place: Names the line.

        Raises:
            UserError: It is longer, and lines are read strictly.
        """
        if longest is not None and tokens > longest and self._is_first("length", side):
            wrong = f"{place} has {tokens:,} tokens, but the longest {side} of the training had {longest:,}"
            self._tell(wrong, "it never learned what to make of such lengths", f"split it into sentences{ONCE}")

    def check_excerpt(self, excerpt: Excerpt | None, source: str, place: str) -> None:
        """Tells once that a line is longer than what the model reads of it.

        Args:
            excerpt: How much it reads; None for all.
            source: The line.
            place: Names the line.

        Raises:
            UserError: It is longer, and lines are read strictly.
        """
        if excerpt is not None and excerpt.cuts(source) and self._is_first("excerpt", "source"):
            self._tell(f"{place} is too long for the model", f"sources are {excerpt.told}", f"shorten it{ONCE}")

    def check_known(self, ids: Sequence[int], side: str, place: str) -> None:
        """Tells once for each side that much of a line is unknown to the model.

        Args:
            ids: Token ids of the line, without EOS.
            side: ``source`` or ``target``.
            place: Names the line.

        Raises:
            UserError: A share of :data:`UNKNOWN_SHARE` or more is unknown, and lines are read strictly.
        """
        from datamodules.batch import UNK

        unknown = ids.count(UNK)
        if unknown and unknown >= UNKNOWN_SHARE * len(ids) and self._is_first("unknown", side):
            wrong = f"{place}: {unknown:,} of {len(ids):,} tokens ({unknown / len(ids):.0%}) are unknown to the model"
            self._tell(wrong, "all of them are the same to it", f"give text like that of the training{ONCE}")

    def _is_first(self, kind: str, side: str) -> bool:
        """Whether nothing of this kind was told yet."""
        is_first = (kind, side) not in self._told
        self._told.add((kind, side))
        return is_first

    def _tell(self, wrong: str, consequence: str, remedy: str) -> None:
        """Warns, or refuses, where nothing follows any more."""
        if self._strict:
            raise UserError(f"{wrong}; {remedy.removesuffix(ONCE)}")
        print(f"seqlab: warning: {wrong}: {consequence}; {remedy}", file=sys.stderr, flush=True)
