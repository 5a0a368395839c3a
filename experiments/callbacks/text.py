"""How callbacks get from ids to text: the data module's spelling and corpora, and what other ranks have seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar, cast, runtime_checkable

import lightning as L
import torch.distributed

from datamodules.batch import Split
from datamodules.corpora.spelling import Spelling
from datamodules.errors import UserError
from experiments.metrics import Example
from lightning_modules.decoding.hypothesis import Hypothesis

Seen = TypeVar("Seen")


class SentencePairs(Protocol):
    """What a data module of sentence pairs offers."""

    def spellings(self, source: str) -> tuple[Spelling, Spelling]:
        """How a source and its targets are spelled."""

    def sources(self, split: Split) -> Sequence[str]:
        """The source sentences by corpus index."""

    def references(self, split: Split) -> Sequence[str]:
        """The target sentences by corpus index."""

    def annotation(self, split: Split, name: str) -> Sequence[str]:
        """A further column by corpus index."""


@runtime_checkable
class NumberedData(Protocol):
    """A data module that knows the lines of its examples."""

    def numbers(self, split: Split, index: Sequence[int]) -> list[int]:
        """The line of each example, counted from 1."""


def sentence_pairs(trainer: L.Trainer) -> SentencePairs:
    """The trainer's data module, for callbacks that read what a model writes.

    Raises:
        UserError: It has no sentence pairs, or labels in place of targets.
    """
    data = getattr(trainer, "datamodule", None)
    if not has_text(trainer) or hasattr(type(data), "class_count"):
        raise UserError(
            f"the callbacks that read text need a data module of sentence pairs, not {type(data).__name__}: "
            "take them out of trainer.callbacks"
        )
    return cast(SentencePairs, data)


def text_data(trainer: L.Trainer) -> SentencePairs:
    """The trainer's data module, be it that its targets are labels.

    Raises:
        UserError: It has no text.
    """
    data = getattr(trainer, "datamodule", None)
    if not has_text(trainer):
        raise UserError(
            f"the callbacks that show text need data with text, not {type(data).__name__}: take them out of "
            "trainer.callbacks"
        )
    return cast(SentencePairs, data)


def has_text(trainer: L.Trainer) -> bool:
    """Whether the trainer's data module has sentence pairs, or texts with labels."""
    return hasattr(type(getattr(trainer, "datamodule", None)), "references")


def class_names(trainer: L.Trainer) -> list[str]:
    """The names of the classes of a classifier's data; their numbers, from 0, where they have no names."""
    data = getattr(trainer, "datamodule", None)
    return list(getattr(data, "class_names", None) or map(str, range(getattr(data, "class_count", 0))))


def predicted_split(trainer: L.Trainer) -> Split:
    """The split that ``predict`` reads: the test's, unless the data module says otherwise."""
    split: Split = getattr(getattr(trainer, "datamodule", None), "predicted", "test")
    return split


def line_numbers(trainer: L.Trainer, split: Split, index: Sequence[int]) -> list[int]:
    """Where examples stand in their file, counted from 1; in the corpus, where the data module knows of no file.

    Args:
        trainer: Has the data module.
        split: Split that they belong to.
        index: Index of each.
    """
    data = getattr(trainer, "datamodule", None)
    return list(data.numbers(split, index)) if isinstance(data, NumberedData) else [each + 1 for each in index]


def written(data: SentencePairs, split: Split, index: int, hypothesis: Hypothesis) -> str:
    """The text of a hypothesis.

    Args:
        data: The data module.
        split: Split that its source belongs to.
        index: Index of its source in the corpus.
        hypothesis: What was found for it.
    """
    return data.spellings(data.sources(split)[index])[1].decode(hypothesis.ids)


def example(data: SentencePairs, split: Split, index: int, annotations: Iterable[str]) -> Example:
    """What a hypothesis was written for.

    Args:
        data: The data module.
        split: Split that it belongs to.
        index: Its index in the corpus.
        annotations: The further columns that are asked for.

    Raises:
        UserError: The data has no such column.
    """
    beside = {name: data.annotation(split, name)[index] for name in annotations}
    return Example(data.sources(split)[index], data.references(split)[index], beside)


def gathered(seen: dict[int, Seen]) -> dict[int, Seen]:
    """What all ranks have seen, by corpus index in rising order: each sentence once, the same on every rank.

    Args:
        seen: What this rank has seen, by corpus index; anything that pickles.
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return dict(sorted(seen.items()))
    shares: list[dict[int, Seen]] = [{} for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather_object(shares, seen)
    return dict(sorted(item for share in shares for item in share.items()))
