"""The beginnings of hypotheses that a search has open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.batch import BOS
from lightning_modules.decoding.hypothesis import Hypothesis

Integers = NDArray[np.int64]
"""Rows, ids, lengths."""

Numbers = NDArray[np.floating]
"""Log-probabilities and scores, in nats; as precise as the model gives them."""

Truth = NDArray[np.bool_]
"""What holds of which row."""


@dataclass(frozen=True)
class Prefixes:
    """Prefixes of one length, one in each row.

    They are kept by numpy and not on the model's device: an operation on a handful of rows costs a fraction there.

    Attributes:
        sentences: ``(rows,)``, the position of each prefix's source in the batch.
        tokens: ``(rows, 1 + length)``, BOS first.
        log_probabilities: ``(rows,)``; minus infinity where a row is not used.
        attention: ``(rows, length, heads, source_len)``, on the model's device; None where it is not kept.
    """

    sentences: Integers
    tokens: Integers
    log_probabilities: Numbers
    attention: Tensor | None = None

    @classmethod
    def empty(cls, sentences: int) -> Prefixes:
        """An empty prefix for each of so many sentences."""
        return cls(np.arange(sentences), np.full((sentences, 1), BOS), np.zeros(sentences, dtype=np.float32))

    def select(self, rows: Integers) -> Prefixes:
        """The given rows ``(new_rows,)``, in their order; a row may be taken several times."""
        attention = self.attention
        return Prefixes(
            self.sentences[rows],
            self.tokens[rows],
            self.log_probabilities[rows],
            None if attention is None else attention[torch.as_tensor(rows, device=attention.device)],
        )

    def extend(self, tokens: Integers, log_probabilities: Numbers, attention: Tensor | None) -> Prefixes:
        """Each prefix with one more token.

        Args:
            tokens: ``(rows,)``.
            log_probabilities: ``(rows,)``, of the longer prefixes.
            attention: ``(rows, heads, source_len)``, of this step; None where it is not kept.
        """
        history = None if attention is None else attention[:, None]
        if history is not None and self.attention is not None:
            history = torch.cat([self.attention, history], dim=1)
        longer = np.concatenate([self.tokens, tokens[:, None]], axis=1)
        return Prefixes(self.sentences, longer, log_probabilities, history)

    def hypotheses(
        self, scores: Numbers, source_lengths: Integers, with_attention: bool, truncated: Truth
    ) -> Iterator[tuple[int, Hypothesis]]:
        """The hypotheses that these prefixes are, all of them closed by EOS.

        Args:
            scores: ``(rows,)``.
            source_lengths: ``(batch,)``.
            with_attention: Whether they take their attention along.
            truncated: ``(rows,)``; see :class:`Hypothesis`.

        Yields:
            The position of the source in the batch, and the hypothesis.
        """
        sentences = self.sentences.tolist()
        attention: list[Tensor | None] = [None] * len(sentences)
        if with_attention and self.attention is not None:
            lengths = source_lengths[self.sentences].tolist()
            attention = [
                weights[..., :length].transpose(0, 1).clone(memory_format=torch.contiguous_format)
                for weights, length in zip(self.attention.cpu(), lengths, strict=True)
            ]
        ids, totals = self.tokens[:, 1:-1].tolist(), self.log_probabilities.tolist()
        cut = truncated.tolist()
        for sentence, *found in zip(sentences, ids, scores.tolist(), totals, attention, cut, strict=True):
            yield sentence, Hypothesis(*found)
