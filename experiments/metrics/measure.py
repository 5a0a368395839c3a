"""What every metric on text offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal

_HASH_BYTES = 6
"""A whole number of that many bytes is exact as a float."""


def number_of(text: str) -> float:
    """A number that stands for a text among those of a metric: the same in every process, as Python's hash is not.

    Args:
        text: Any.
    """
    return float(int.from_bytes(blake2b(text.encode(), digest_size=_HASH_BYTES).digest()))


@dataclass(frozen=True)
class Example:
    """A sentence as a metric may see it.

    Attributes:
        source: What the model read, as raw text.
        reference: What it should have written.
        annotations: Further columns of the data, by the names that its setting ``annotations`` gives them: those that
            the metric asks for.
    """

    source: str
    reference: str
    annotations: Mapping[str, str] = field(default_factory=dict)


class CorpusMetric(ABC):
    """A metric of a whole corpus, made of numbers of each sentence.

    Attributes:
        name: What is logged is ``val/NAME`` and ``test/NAME``.
        better: Which of two values is better.
        unit: The label of its axis in pictures.
        annotations: The further columns of the data that it reads.
    """

    name: str
    better: Literal["higher", "lower"] = "higher"
    unit: str
    annotations: tuple[str, ...] = ()

    def of_corpus(self, references: Sequence[str]) -> CorpusMetric:
        """The metric for a corpus, where it depends on what the references are like; else itself.

        Args:
            references: Raw text.
        """
        return self

    @abstractmethod
    def of_example(self, hypothesis: str, example: Example) -> Sequence[float]:
        """The numbers of one sentence.

        Args:
            hypothesis: What the model wrote, detokenised.
            example: What it was written for.
        """

    def over(self, counts: Sequence[Sequence[float]]) -> float:
        """The metric of a corpus: of numbers that add up, over batches and over processes.

        Args:
            counts: What :meth:`of_example` gave for each sentence, at least one.
        """
        return self.value([sum(each) for each in zip(*counts, strict=True)])

    @abstractmethod
    def value(self, sums: Sequence[float]) -> float:
        """The metric.

        Args:
            sums: The numbers of the sentences, each summed over at least one sentence.
        """

    @property
    def signature(self) -> str | None:
        """What else has to be said for the value to be compared; None for nothing."""
        return None


class TextMetric(CorpusMetric):
    """A metric of hypotheses and references alone."""

    def of_example(self, hypothesis: str, example: Example) -> Sequence[float]:
        """See :meth:`CorpusMetric.of_example`."""
        return self.counts(hypothesis, example.reference)

    @abstractmethod
    def counts(self, hypothesis: str, reference: str) -> Sequence[float]:
        """The numbers of one sentence, always as many.

        Args:
            hypothesis: What the model wrote, detokenised.
            reference: Raw text.
        """
