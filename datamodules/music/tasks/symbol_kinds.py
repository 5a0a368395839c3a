"""Symbols that are counted apart: the notes of each voice, or chords."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from datamodules.batch import SPECIAL_PIECES
from datamodules.music.tasks.task import MusicTask


@dataclass(frozen=True)
class SymbolKinds:
    """What each target id stands for.

    Attributes:
        names: The kinds.
        kind: ``(vocabulary,)``, int64, the kind of each id; -1 for what is not counted.
        value: ``(vocabulary,)``, int64: ids with the same number are equally right.
    """

    names: tuple[str, ...]
    kind: Tensor
    value: Tensor

    @classmethod
    def of(cls, symbols: Sequence[str], task: MusicTask) -> SymbolKinds:
        """The kinds of a vocabulary.

        Args:
            symbols: In the order of their ids, without the reserved ones.
            task: What tells kinds and values.
        """
        reserved = len(SPECIAL_PIECES)
        kinds = [None] * reserved + [task.kind(symbol) for symbol in symbols]
        names = tuple(sorted({kind for kind in kinds if kind is not None}))
        values = [task.value(symbol) for symbol in symbols]
        numbers = {value: reserved + number for number, value in enumerate(dict.fromkeys(values))}
        return cls(
            names,
            torch.tensor([-1 if kind is None else names.index(kind) for kind in kinds]),
            torch.tensor([*range(reserved), *(numbers[value] for value in values)]),
        )
