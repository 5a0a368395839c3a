"""Labels of texts as ids, so that a checkpoint keeps them as it keeps words."""

from __future__ import annotations

from collections.abc import Mapping

from datamodules.tokenizers.protocol import Setting
from datamodules.tokenizers.symbols import SymbolTokenizer


class LabelTokenizer(SymbolTokenizer):
    """Labels: each line is one, without the white space at its ends; their ids follow their names in sorted order."""

    _separator = "\n"

    def __init__(self) -> None:
        super().__init__(1, None)

    def settings(self) -> dict[str, Setting]:
        """None."""
        return {}

    def _split(self, sentence: str) -> list[str]:
        label = sentence.strip()
        return [label] if label else []

    def _frequent(self, counts: Mapping[str, int]) -> list[str]:
        """All of them, by name."""
        return sorted(counts)
