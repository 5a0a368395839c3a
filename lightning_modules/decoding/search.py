"""What every search shares: the model that it steps through, and its limits."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar, Protocol, Self, TypeVar

import numpy as np
from torch import Tensor

from datamodules.batch import Padded
from datamodules.errors import RunFailed, UserError
from lightning_modules.decoding.hypothesis import Hypothesis
from lightning_modules.decoding.length_limits import by_ratio
from lightning_modules.decoding.prefixes import Integers, Numbers
from lightning_modules.decoding.rules import Rules
from lightning_modules.kernels.packed_weights import PackedWeights

NO_NUMBERS = "the model's probabilities are NaN: its weights are spoilt; take an earlier checkpoint"
"""What a search says of such a model."""


class Selectable(Protocol):
    """What a search needs to know of a model's memory and state: that rows can be taken from them."""

    def select(self, rows: Tensor) -> Self:
        """The given rows ``(new_rows,)``, in their order; a row may be taken several times."""


MemoryT = TypeVar("MemoryT", bound=Selectable)
StateT = TypeVar("StateT", bound=Selectable)


class Steppable(Protocol[MemoryT, StateT]):
    """What a search needs of a model."""

    def encode(self, source: Padded) -> tuple[MemoryT, StateT]:
        """Encodes a batch, once."""

    def step(self, tokens: Tensor, memory: MemoryT, state: StateT) -> tuple[Tensor, Tensor, StateT]:
        """Runs one step.

        Args:
            tokens: ``(rows,)``, the last token of each prefix.
            memory: The memory of the sentences, each with as many rows as the others, one after the other.
            state: With as many rows as there are tokens.

        Returns:
            Log-probabilities ``(rows, vocabulary)``, in which the search may change what it forbids; attention weights
            ``(rows, heads, source_len)``; and the next state.
        """

    def length_limits(self, source_lengths: Integers) -> Integers:
        """The most tokens of a hypothesis of each source, where the search is given no limit; EOS not counted.

        Args:
            source_lengths: ``(batch,)``, EOS counted.
        """


class Search(ABC):
    """Finds hypotheses for a batch of sources, stepping through a model.

    A sentence that is finished leaves the batch. At a sentence's maximum length only EOS may follow, so that every
    hypothesis ends with EOS and its score counts it; :attr:`Hypothesis.truncated` tells where the model would have
    gone on. The limit comes of the model's training pairs (see :class:`LengthLimits`), unless max_length, max_ratio or
    both are given: then these alone hold.

    Args:
        max_length: Most tokens of a hypothesis, EOS not counted.
        max_ratio: At most this many times the source's length, plus 10.
        min_length: Fewest tokens of a hypothesis, EOS not counted.
        no_repeat_ngram_size: No sequence of this many tokens comes twice in a hypothesis (Paulus et al. 2018, section
            2.5); 0 for no such rule. Where it leaves no other token, the hypothesis ends, before min_length too.
        allow_unknown: Whether a hypothesis may have the unknown token, ``<unk>``; a forced prefix may in any case.

    Raises:
        UserError: A length is negative, or the minimum above the maximum.

    Attributes:
        draws: Whether it finds something else each time.
    """

    draws: ClassVar[bool] = False

    def __init__(
        self,
        max_length: int | None = None,
        max_ratio: float | None = None,
        min_length: int = 0,
        no_repeat_ngram_size: int = 0,
        allow_unknown: bool = False,
    ) -> None:
        if max_length is not None and max_length < 1:
            raise UserError(f"max_length is {max_length}: give at least 1, or leave it out, for what training suggests")
        if min_length < 0:
            raise UserError(f"min_length is {min_length}: give 0 or more")
        if max_length is not None and min_length > max_length:
            raise UserError(f"min_length is {min_length}: give 0 to max_length, which is {max_length}")
        if max_ratio is not None and not 0 < max_ratio < math.inf:
            raise UserError(f"max_ratio is {max_ratio}: give more than 0, or leave it out, for what training suggests")
        if no_repeat_ngram_size < 0:
            raise UserError(f"no_repeat_ngram_size is {no_repeat_ngram_size}: give 1 or more, or 0 for no such rule")
        self.max_length = max_length
        self.max_ratio = max_ratio
        self.min_length = min_length
        self.no_repeat_ngram_size = no_repeat_ngram_size
        self.allow_unknown = allow_unknown

    def __call__(
        self,
        model: Steppable[MemoryT, StateT],
        source: Padded,
        with_attention: bool = False,
        prefixes: Padded | None = None,
    ) -> list[list[Hypothesis]]:
        """Searches.

        Args:
            model: Encodes and steps; in evaluation mode, without gradients.
            source: The sources, closed by EOS; ``(batch, source_len)``.
            with_attention: Also return what each hypothesis attended to.
            prefixes: The target ids that the hypotheses of each source begin with, ``(batch, prefix_len)``, bare of
                BOS and EOS; some may be empty. Their log-probabilities count like those of other tokens. A prefix goes
                before every limit but max_length, and may repeat n-grams.

        Returns:
            For each source its hypotheses, best first.

        Raises:
            UserError: A prefix is longer than max_length, or the search does not fit the model.
            RunFailed: The model's probabilities are NaN.
        """
        with PackedWeights():  # each step has the same ones
            return self._search(model, source, with_attention, prefixes)

    @abstractmethod
    def _search(
        self, model: Steppable[MemoryT, StateT], source: Padded, with_attention: bool, prefixes: Padded | None
    ) -> list[list[Hypothesis]]:
        """Searches; see :meth:`__call__`."""

    def check_vocabulary(self, size: int) -> None:  # noqa: B027 - most searches fit any vocabulary
        """Refuses a target vocabulary that the search cannot work on.

        Args:
            size: Number of target ids.

        Raises:
            UserError: It is too small.
        """

    def _check(self, log_probabilities: Tensor) -> None:
        """Refuses a model by its first step, ``(rows, vocabulary)``.

        Raises:
            UserError: The vocabulary is too small for the search.
            RunFailed: There are log-probabilities that are no numbers.
        """
        self.check_vocabulary(log_probabilities.shape[1])
        if log_probabilities.isnan().any():
            raise RunFailed(NO_NUMBERS)

    def _check_totals(self, totals: Numbers) -> None:
        """Refuses log-probabilities of prefixes, of any shape, that became no numbers at a later step.

        Raises:
            RunFailed: One is NaN.
        """
        if np.isnan(totals).any():
            raise RunFailed(NO_NUMBERS)

    def _rules(self, model: Steppable[MemoryT, StateT], source: Padded, prefixes: Padded | None) -> Rules:
        """What may follow in each sentence."""
        limits = self._limits(model, source.lengths.cpu().numpy())
        if prefixes is not None:
            forced = prefixes.lengths.cpu().numpy()
            if self.max_length is not None and forced.max() > self.max_length:
                raise UserError(
                    f"a forced prefix has {forced.max()} tokens, but max_length is {self.max_length}: shorten it, or "
                    "raise max_length"
                )
            limits = np.maximum(limits, forced)
        return Rules(limits, self.min_length, self.no_repeat_ngram_size, prefixes, self.allow_unknown)

    def _limits(self, model: Steppable[MemoryT, StateT], lengths: Integers) -> Integers:
        """The most tokens of a hypothesis of each source, ``(batch,)``, given the sources' lengths."""
        if self.max_ratio is not None:
            limits = by_ratio(lengths, self.max_ratio)
            limits = limits if self.max_length is None else limits.clip(max=self.max_length)
        elif self.max_length is not None:
            limits = np.full_like(lengths, self.max_length)
        else:
            limits = model.length_limits(lengths)
        return limits.clip(min=self.min_length)


def kept_weights(weights: Tensor) -> Tensor | None:
    """The attention weights of a step ``(rows, heads, source_len)``; None where there is no head."""
    return weights if weights.shape[1] else None
