"""Scores of kinds, against counting by hand."""

from __future__ import annotations

import pytest
import torch

from datamodules.batch import SPECIAL_PIECES
from datamodules.music.tasks.harmonisation import Harmonisation
from datamodules.music.tasks.symbol_kinds import SymbolKinds
from experiments.callbacks.symbols.symbol_scores import _counts

SYMBOLS = ["bass:50", "bass:50_", "bass:52", "alto:60", "alto:60_"]


def test_a_note_is_right_struck_or_held_and_voices_are_apart() -> None:
    kinds = SymbolKinds.of(SYMBOLS, Harmonisation())
    assert kinds.names == ("alto", "bass")
    ids = {symbol: len(SPECIAL_PIECES) + number for number, symbol in enumerate(SYMBOLS)}

    def row(*symbols: str) -> torch.Tensor:
        return torch.tensor([*(ids[symbol] for symbol in symbols), 2])

    gold = row("bass:50", "alto:60", "bass:50_", "alto:60_", "bass:52", "alto:60")
    predicted = row("bass:50_", "alto:60", "bass:52", "alto:60", "bass:52", "alto:60")
    own = row("bass:52", "bass:50", "bass:50", "alto:60_", "alto:60", "alto:60")
    nll = torch.arange(7, dtype=torch.float32)
    counts = _counts(kinds, gold, predicted, own, nll)
    assert counts["bass"] == (3, 2, 1, pytest.approx(0 + 2 + 4), 2, 1)
    assert counts["alto"] == (3, 3, 2, pytest.approx(1 + 3 + 5), 2, 2)
