"""How long the training pairs are: what a model has seen, and so how long a hypothesis may become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True)
class TrainingLengths:
    """The longest that training has, in tokens without reserved ids.

    Attributes:
        source: The longest source.
        target: The longest target.
        ratio: The most target tokens for each source token of a pair, the source's EOS counted.
    """

    source: int
    target: int
    ratio: float

    @classmethod
    def of(cls, lengths: np.ndarray) -> Self:
        """Measures pairs.

        Args:
            lengths: ``(pairs, 2)``, source and target length of each, at least one pair.
        """
        source, target = lengths[:, 0], lengths[:, 1]
        return cls(int(source.max()), int(target.max()), float((target / (source + 1)).max()))

    @classmethod
    def restored(cls, state: object) -> Self | None:
        """What :func:`dataclasses.asdict` gave to a checkpoint; None where that does not say, as before there were any.

        Args:
            state: From the checkpoint, of any kind.
        """
        if not isinstance(state, Mapping):
            return None
        source, target, ratio = (state.get(name) for name in ("source", "target", "ratio"))
        if isinstance(source, int) and isinstance(target, int) and isinstance(ratio, float):
            return cls(source, target, ratio)
        return None
