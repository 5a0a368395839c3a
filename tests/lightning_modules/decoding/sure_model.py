"""A model that is sure of what it says, for searches to be tried on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from datamodules.batch import EOS, Padded
from tests.lightning_modules.decoding.tiny_search import VOCABULARY


class SureModel:
    """Says one sequence, with a probability of all but 1; at each step EOS has most of the rest."""

    def __init__(self, said: list[int]) -> None:
        self._said = [*said, EOS]

    def encode(self, source: Padded) -> tuple[Rows, Rows]:
        return Rows(torch.zeros(len(source), dtype=torch.long)), Rows(torch.zeros(len(source), dtype=torch.long))

    def step(self, tokens: torch.Tensor, memory: Rows, state: Rows) -> tuple[torch.Tensor, torch.Tensor, Rows]:
        logits = torch.full((len(tokens), VOCABULARY), -20.0)
        logits[:, EOS] = -12.0
        for row, length in enumerate(state.values.tolist()):
            logits[row, self._said[min(length, len(self._said) - 1)]] = 0.0
        return logits.log_softmax(dim=1), torch.zeros(len(tokens), 0, 1), Rows(state.values + 1)

    def length_limits(self, source_lengths: np.ndarray) -> np.ndarray:
        return np.full_like(source_lengths, 40)


@dataclass(frozen=True)
class Rows:
    """How many tokens each row has said."""

    values: torch.Tensor

    def select(self, rows: torch.Tensor) -> Rows:
        return Rows(self.values[rows])
