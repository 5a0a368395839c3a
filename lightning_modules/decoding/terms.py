"""Phrases that have to occur in a hypothesis, and the beam that is kept for them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from datamodules.batch import EOS
from lightning_modules.decoding.prefixes import Integers, Numbers

Ids = tuple[int, ...]


class Continuation(NamedTuple):
    """A prefix with one more token.

    Attributes:
        total: Log-probability of the longer prefix.
        row: Which prefix of the sentence is continued.
        token: The new token.
    """

    total: float
    row: int
    token: int


class Terms:
    """The phrases of one source, by dynamic beam allocation (Post and Vilar 2018, section 3).

    Beside the best continuations of all prefixes, those that go on with a phrase, and the best one of each prefix, are
    candidates; the places of the beam are shared among the numbers of tokens of phrases that they have, and a place
    that finds no candidate goes to another number, the greatest first. So a prefix with all phrases is always there, as
    many steps later as they have tokens, however improbable they are. Only such a prefix may end.

    Args:
        phrases: The ids of each phrase; one that comes twice is needed once.
    """

    def __init__(self, phrases: Sequence[Sequence[int]]) -> None:
        self.phrases = tuple(dict.fromkeys(tuple(phrase) for phrase in phrases if phrase))

    @cached_property
    def length(self) -> int:
        """Number of tokens of all phrases."""
        return sum(map(len, self.phrases))

    def progress(self, tokens: Ids) -> int:
        """How many tokens of phrases a prefix has: those of whole ones, and of the one that it is within."""
        return sum(len(phrase) for phrase in self.phrases if _occurs(phrase, tokens)) + max(
            (begun for _, begun in self._open(tokens)), default=0
        )

    def next_tokens(self, tokens: Ids) -> set[int]:
        """What goes on with a phrase that a prefix lacks."""
        return {phrase[begun] for phrase, begun in self._open(tokens)}

    def _open(self, tokens: Ids) -> list[tuple[Ids, int]]:
        """The phrases that a prefix lacks, and how many tokens of each stand at its end."""
        return [(phrase, _begun(phrase, tokens)) for phrase in self.phrases if not _occurs(phrase, tokens)]

    def continuations(
        self, prefixes: Numbers, tokens: Integers, allowed: Tensor, size: int, count: int
    ) -> list[Continuation]:
        """What the prefixes of the sentence go on with.

        Args:
            prefixes: ``(width,)``, log-probabilities; minus infinity where none is.
            tokens: ``(width, length)``, without BOS.
            allowed: ``(width, vocabulary)``, log-probabilities of the next token.
            size: Places of the beam.
            count: Most continuations to look at beside those that phrases and prefixes ask for.

        Returns:
            Those that end, at most ``size``, and then those that stay open, at most ``size``; both the best first.
        """
        before = [tuple(row) for row in tokens.tolist()]
        found = self._candidates(prefixes, before, allowed, count)
        ended = [each for each in found if each.token == EOS and self.progress(before[each.row]) == self.length]
        banks: dict[int, list[Continuation]] = {}
        for each in found:
            if each.token != EOS:
                banks.setdefault(self.progress((*before[each.row], each.token)), []).append(each)
        return ended[:size] + sorted(self._allocated(banks, size), reverse=True)

    def _candidates(self, prefixes: Numbers, before: Sequence[Ids], allowed: Tensor, count: int) -> list[Continuation]:
        """The best of all, the best of each prefix, and those that phrases ask for; the best first."""
        totals = torch.as_tensor(prefixes, device=allowed.device)[:, None] + allowed
        wanted = {divmod(place, totals.shape[1]) for place in totals.flatten().topk(count).indices.tolist()}
        wanted |= set(enumerate(totals.argmax(dim=1).tolist()))
        wanted |= {(row, token) for row, ids in enumerate(before) for token in self.next_tokens(ids)}
        rows, ids = zip(*wanted, strict=True)
        found = map(Continuation, totals[list(rows), list(ids)].tolist(), rows, ids)
        return sorted((each for each in found if each.total > -math.inf), reverse=True)

    def _allocated(self, banks: Mapping[int, list[Continuation]], size: int) -> list[Continuation]:
        """The places of the beam, shared among numbers of tokens of phrases."""
        share, rest = divmod(size, self.length + 1)
        kept: list[Continuation] = []
        left: list[Continuation] = []
        for progress in sorted(banks, reverse=True):
            quota = share + (rest if progress == max(banks) else 0)
            kept += banks[progress][:quota]
            left += banks[progress][quota:]
        return kept + left[: size - len(kept)]


def _occurs(phrase: Ids, tokens: Ids) -> bool:
    return any(tokens[start : start + len(phrase)] == phrase for start in range(len(tokens) - len(phrase) + 1))


def _begun(phrase: Ids, tokens: Ids) -> int:
    """The most tokens of the beginning of a phrase, not all of them, that stand at the end of others."""
    return next((size for size in range(len(phrase) - 1, 0, -1) if tokens[-size:] == phrase[:size]), 0)
